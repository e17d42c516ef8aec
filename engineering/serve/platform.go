package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Platform is what a cloud asks of a serving container.
type Platform struct {
	Name            string // for people
	Address         string // host:port to listen on; the host is all interfaces
	Folder          string // where the platform puts the model's files: a folder, or the address of a bucket
	Health, Predict string // as in [Options]
}

// modelFolder is where SageMaker unpacks a model.
const modelFolder = "/opt/ml/model"

// DetectPlatform returns the platform that runs this process as a container, as
// its environment variables say: Vertex AI, SageMaker or Azure Machine
// Learning. Nil: none. SageMaker need not set any; it calls the image with the
// argument serve and has a folder /opt/ml/model, which counts if no other
// platform is found and called says that the argument was there.
//
// An error names a variable whose value cannot be obeyed.
func DetectPlatform(getenv func(string) string, called bool) (*Platform, error) {
	switch {
	case getenv("AIP_HTTP_PORT") != "" || getenv("AIP_STORAGE_URI") != "" || getenv("AIP_PREDICT_ROUTE") != "":
		p := &Platform{Name: "Vertex AI", Folder: getenv("AIP_STORAGE_URI"), Health: getenv("AIP_HEALTH_ROUTE"), Predict: getenv("AIP_PREDICT_ROUTE")}
		switch {
		case p.Folder == "":
			p.Folder = modelFolder
		case strings.Contains(p.Folder, "://") && !strings.HasSuffix(p.Folder, ".tandem") && !strings.HasSuffix(p.Folder, "/"):
			p.Folder += "/" // all in the bucket below it
		}
		for name, route := range map[string]string{"AIP_HEALTH_ROUTE": p.Health, "AIP_PREDICT_ROUTE": p.Predict} {
			if route != "" && !plainPath(route) {
				return nil, data.WithHint(fmt.Errorf("%s=%q is not a path", name, route), "it must begin with / and hold no spaces or braces")
			}
		}
		return p, p.listen(getenv, "AIP_HTTP_PORT")
	case getenv("AZUREML_MODEL_DIR") != "":
		p := &Platform{Name: "Azure Machine Learning", Folder: getenv("AZUREML_MODEL_DIR")}
		return p, p.listen(getenv, "")
	case getenv("SAGEMAKER_BIND_TO_PORT") != "" || called && isFolder(modelFolder):
		p := &Platform{Name: "SageMaker", Folder: modelFolder}
		return p, p.listen(getenv, "SAGEMAKER_BIND_TO_PORT")
	}
	return nil, nil
}

// listen sets the address, of the port that a variable holds or of 8080.
func (p *Platform) listen(getenv func(string) string, name string) error {
	port := 8080
	if value := getenv(name); name != "" && value != "" {
		var err error
		if port, err = strconv.Atoi(value); err != nil || port < 0 || port > 65535 {
			return data.WithHint(fmt.Errorf("%s=%q is not a port", name, value), "a port is a number from 0 to 65535")
		}
	}
	p.Address = net.JoinHostPort("0.0.0.0", strconv.Itoa(port))
	return nil
}

// plainPath reports whether a path can be a route as it stands.
func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") && path != "/" && filepath.ToSlash(filepath.Clean(path)) == path &&
		!strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '{' || r == '}' || r == 0x7f })
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ListenAnywhere binds a TCP address that other machines may reach. It is for
// servers with keys, and for containers whose platform lets nobody in who should
// not be.
func ListenAnywhere(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, data.WithHint(fmt.Errorf("listen on %s: the port is in use by another program", address), "stop it, or choose another port")
	}
	return l, err
}

// Load opens bundles: files, each a model under its name without .tandem, and
// folders of such files, searched through. Two models of one name, a folder
// without any and a file that is no bundle are errors.
func Load(paths ...string) ([]Model, error) {
	var files []string
	for _, path := range paths {
		if !isFolder(path) {
			files = append(files, path)
			continue
		}
		n := len(files)
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(file) == ".tandem" {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == n {
			return nil, data.WithHint(fmt.Errorf("there is no bundle in %s", path), "bundles are files named *.tandem; tandem train and tandem import write them")
		}
	}
	var models []Model
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".tandem")
		if slices.ContainsFunc(models, func(m Model) bool { return m.Project == name }) {
			return nil, data.WithHint(fmt.Errorf("two bundles are named %q", name), "rename one of the files")
		}
		b, err := bundle.Open(file)
		if err != nil {
			return nil, err
		}
		models = append(models, Model{Project: name, Bundle: b})
	}
	return models, nil
}
