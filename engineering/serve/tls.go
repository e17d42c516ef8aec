package serve

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Certificate is a TLS certificate and its key in PEM files, which are read
// again when they change: who renews them need not stop the server.
type Certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	stamp   [2]time.Time // of the files that current is from
}

// LoadCertificate reads a certificate chain and its private key.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, data.WithHint(fmt.Errorf("read the TLS certificate: %w", err), "both are PEM files: the chain with the server's certificate first, and its private key")
	}
	return c, nil
}

func (c *Certificate) load() error {
	stamp, err := c.stamps()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

func (c *Certificate) stamps() (stamp [2]time.Time, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// get returns the certificate in force. Files that changed are taken at most a
// second later; while they do not belong together, or cannot be read, the
// certificate before goes on.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= time.Second {
		c.looked = now
		if stamp, err := c.stamps(); err == nil && stamp != c.stamp {
			_ = c.load()
		}
	}
	return c.current, nil
}

// config returns what a server needs: TLS 1.2 at least, HTTP/2 and HTTP/1.1.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
