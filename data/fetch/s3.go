package fetch

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/tandem-ml/tandem/data"
)

// fromS3 copies an object, s3://bucket/key. The environment says where the store
// is (AWS_ENDPOINT_URL, AWS_REGION) and who asks (AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN); without a key it asks as nobody.
// Plain http is for this machine alone.
func fromS3(ctx context.Context, address string) (File, error) {
	u, err := url.Parse(address)
	key := ""
	if err == nil {
		key = strings.TrimPrefix(u.Path, "/")
	}
	if err != nil || u.Host == "" || key == "" || u.RawQuery != "" {
		return File{}, data.WithHint(fmt.Errorf("source %s names no object", Redacted(address)), "write it as s3://bucket/folder/file.csv")
	}
	endpoint, secure := "s3.amazonaws.com", true
	if e := os.Getenv("AWS_ENDPOINT_URL"); e != "" {
		at, err := url.Parse(e)
		if err != nil || at.Host == "" || at.Scheme != "https" && !(at.Scheme == "http" && isLoopback(at.Hostname())) {
			return File{}, data.WithHint(fmt.Errorf("AWS_ENDPOINT_URL %s is not the https address of a store", Redacted(e)), "write it as https://host:port")
		}
		endpoint, secure = at.Host, at.Scheme == "https"
	}
	who := credentials.NewStaticV4("", "", "")
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); id != "" {
		who = credentials.NewStaticV4(id, os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
	}
	client, err := minio.New(endpoint, &minio.Options{Creds: who, Secure: secure, Region: os.Getenv("AWS_REGION"), Transport: transport})
	if err != nil {
		return File{}, fmt.Errorf("source %s: %w", Redacted(address), err)
	}
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("get %s: %w", Redacted(address), err), "check bucket, key, AWS_ENDPOINT_URL, AWS_REGION and the credentials in the environment")
	}
	object, err := client.GetObject(ctx, u.Host, key, minio.GetObjectOptions{})
	if err != nil {
		return File{}, wrong(err)
	}
	defer object.Close()
	info, err := object.Stat()
	if err != nil {
		return File{}, wrong(err)
	}
	return keep(nameOf(key), func(w io.Writer) error {
		n, err := io.Copy(w, object)
		if err == nil && n != info.Size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return wrong(err)
		}
		return nil
	})
}
