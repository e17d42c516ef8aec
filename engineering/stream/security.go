package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/tandem-ml/tandem/data"
)

var mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// Security reads from the environment who we are to the brokers:
//
//	KAFKA_USERNAME        the user; none: the brokers ask for none
//	KAFKA_PASSWORD        the password, or
//	KAFKA_PASSWORD_FILE   a file that holds it, read at each connection
//	KAFKA_SASL_MECHANISM  plain (the default), scram-sha-256 or scram-sha-512; sasl= of the address goes first
//	KAFKA_TLS             true: connect by TLS; so does tls=true, and each of the following
//	KAFKA_TLS_CA          a PEM file of the authorities to trust, in place of the system's
//	KAFKA_TLS_CERT        PEM files of our own certificate and key
//	KAFKA_TLS_KEY
//
// A password of mechanism plain is sent over TLS, or to this machine, and not
// otherwise. getenv is [os.Getenv] outside of tests.
func (a Address) Security(getenv func(string) string) ([]kgo.Opt, error) {
	secure, opts, err := a.tls(getenv)
	if err != nil {
		return nil, err
	}
	user, password, file := getenv("KAFKA_USERNAME"), getenv("KAFKA_PASSWORD"), getenv("KAFKA_PASSWORD_FILE")
	mechanism := a.SASL
	if mechanism == "" {
		mechanism = strings.ToLower(getenv("KAFKA_SASL_MECHANISM"))
	}
	switch {
	case user == "" && (a.SASL != "" || password != "" || file != ""):
		return nil, errors.New("there is a way to sign in to Kafka but no user: set KAFKA_USERNAME")
	case user == "":
		return opts, nil
	case (password == "") == (file == ""):
		return nil, errors.New("set either KAFKA_PASSWORD or KAFKA_PASSWORD_FILE beside KAFKA_USERNAME")
	case mechanism == "":
		mechanism = "plain"
	}
	secret := func() (string, error) {
		if file == "" {
			return password, nil
		}
		b, err := os.ReadFile(file)
		return strings.TrimRight(string(b), "\r\n"), err
	}
	if _, err := secret(); err != nil {
		return nil, fmt.Errorf("KAFKA_PASSWORD_FILE: %w", err)
	}
	scramAuth := func(context.Context) (scram.Auth, error) {
		pass, err := secret()
		return scram.Auth{User: user, Pass: pass}, err
	}
	switch mechanism {
	case "plain":
		if !secure && !a.local() {
			return nil, data.WithHint(errors.New("the password would cross the network in the clear"), "add tls=true to the address, or sasl=scram-sha-512")
		}
		opts = append(opts, kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := secret()
			return plain.Auth{User: user, Pass: pass}, err
		})))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Sha256(scramAuth)))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Sha512(scramAuth)))
	default:
		return nil, fmt.Errorf("KAFKA_SASL_MECHANISM must be one of %s", strings.Join(mechanisms, ", "))
	}
	return opts, nil
}

func (a Address) tls(getenv func(string) string) (secure bool, opts []kgo.Opt, err error) {
	authority, cert, key := getenv("KAFKA_TLS_CA"), getenv("KAFKA_TLS_CERT"), getenv("KAFKA_TLS_KEY")
	if !a.TLS && getenv("KAFKA_TLS") != "true" && authority == "" && cert == "" {
		return false, nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return false, nil, fmt.Errorf("KAFKA_TLS_CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return false, nil, fmt.Errorf("KAFKA_TLS_CA: there is no certificate in %s", authority)
		}
	}
	if (cert == "") != (key == "") {
		return false, nil, errors.New("KAFKA_TLS_CERT and KAFKA_TLS_KEY go together")
	}
	if cert != "" {
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			return false, nil, fmt.Errorf("KAFKA_TLS_CERT: %w", err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(cert, key) // it may have been renewed
			return &c, err
		}
	}
	return true, []kgo.Opt{kgo.DialTLSConfig(config)}, nil
}

// local reports whether all brokers are on this machine.
func (a Address) local() bool {
	for _, b := range a.Brokers {
		host, _, _ := net.SplitHostPort(b)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
