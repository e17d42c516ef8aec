package fetch

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/tandem-ml/tandem/data"
)

// bucket is an object of S3, or all below a prefix. Which one it is says the address:
// a prefix ends in a slash.
type bucket struct {
	place
	opt    Options
	client *minio.Client
}

func newS3(p place, opt Options) (*bucket, error) {
	query := p.url.Query()
	for key := range query {
		if key != "endpoint" && key != "region" {
			return nil, data.WithHint(fmt.Errorf("address %s has ?%s, which is not known", p, key), "there are ?endpoint=URL and ?region=NAME")
		}
	}
	first := func(texts ...string) string {
		for _, t := range texts {
			if t != "" {
				return t
			}
		}
		return ""
	}
	endpoint := first(query.Get("endpoint"), opt.Getenv("AWS_ENDPOINT_URL_S3"), opt.Getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com")
	e, err := url.Parse(endpoint)
	if err != nil || e.Host == "" || e.User != nil || e.Scheme != "https" && !(e.Scheme == "http" && loopback(e.Hostname())) {
		return nil, data.WithHint(fmt.Errorf("address %s: its endpoint is not an https:// address", p), "write ?endpoint=https://HOST; http:// is for this machine only")
	}
	web := client(opt.Timeout)
	region := first(query.Get("region"), opt.Getenv("AWS_REGION"), opt.Getenv("AWS_DEFAULT_REGION"))
	c, err := minio.New(e.Host, &minio.Options{
		Creds: awsCredentials(opt.Getenv, web.Transport, region), Secure: e.Scheme == "https", Region: region, Transport: web.Transport, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", p, err)
	}
	return &bucket{place: p, opt: opt, client: c}, nil
}

// awsCredentials are those of the environment; of a container or a machine where
// that says it is one; else of the shared file; else none, for public buckets.
func awsCredentials(getenv func(string) string, transport http.RoundTripper, region string) *credentials.Credentials {
	if id := getenv("AWS_ACCESS_KEY_ID"); id != "" {
		return credentials.NewStaticV4(id, getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN"))
	}
	role := &credentials.IAM{Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, Region: region}
	role.Container.AuthorizationToken = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	role.Container.AuthorizationTokenFile = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
	role.Container.CredentialsFullURI = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	role.Container.CredentialsRelativeURI = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	role.EKSIdentity.TokenFile = getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	role.EKSIdentity.RoleARN = getenv("AWS_ROLE_ARN")
	role.EKSIdentity.RoleSessionName = getenv("AWS_ROLE_SESSION_NAME")
	known := role.Container.CredentialsFullURI != "" || role.Container.CredentialsRelativeURI != "" || role.EKSIdentity.TokenFile != ""
	file := &credentials.FileAWSCredentials{Filename: getenv("AWS_SHARED_CREDENTIALS_FILE"), Profile: getenv("AWS_PROFILE")}
	switch {
	case known:
		return credentials.NewChainCredentials([]credentials.Provider{role, file})
	case getenv("AWS_EC2_METADATA_DISABLED") == "true":
		return credentials.NewChainCredentials([]credentials.Provider{file})
	}
	return credentials.NewChainCredentials([]credentials.Provider{file, role})
}

func (b *bucket) Look(ctx context.Context, known map[string]string) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.Timeout)
	defer cancel()
	key := strings.TrimPrefix(b.url.Path, "/")
	if b.name != "" {
		info, err := b.client.StatObject(ctx, b.url.Host, key, minio.StatObjectOptions{})
		if err != nil {
			return nil, b.wrong(err)
		}
		return []Found{b.found(b.name, key, info, known)}, nil
	}
	var out []Found
	for info := range b.client.ListObjects(ctx, b.url.Host, minio.ListObjectsOptions{Prefix: key, Recursive: true}) {
		if info.Err != nil {
			return nil, b.wrong(info.Err)
		}
		if path.Ext(info.Key) != ".tandem" {
			continue
		}
		if len(out) == mostListed {
			return nil, fmt.Errorf("%s has more than %d bundles", b, mostListed)
		}
		out = append(out, b.found(strings.TrimSuffix(path.Base(info.Key), ".tandem"), info.Key, info, known))
	}
	return out, nil
}

func (b *bucket) found(name, key string, info minio.ObjectInfo, known map[string]string) Found {
	one := Found{Name: name, Tag: info.ETag + " " + info.VersionID, Pin: b.pin}
	if known[name] != one.Tag {
		one.Read = func(ctx context.Context) ([]byte, error) { return b.read(ctx, key) }
	}
	return one
}

func (b *bucket) read(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.opt.Timeout)
	defer cancel()
	// One GET and no more: the reader of the convenient interface asks again for
	// each part, of which each could be of another version.
	core := minio.Core{Client: b.client}
	body, info, head, err := core.GetObject(ctx, b.url.Host, key, minio.GetObjectOptions{Checksum: true})
	if err != nil {
		return nil, b.wrong(err)
	}
	defer body.Close()
	content, err := whole(body, info.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", b, key, err)
	}
	if err := b.check(content); err != nil {
		return nil, err
	}
	if err := sameSums(content, info, head); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", b, key, err)
	}
	return content, nil
}

// sameSums compares content with what the store says of it: a SHA-256 where it
// keeps one of the whole object, and the ETag where that is an MD5, which it is not of what
// was put in parts or is encrypted by a key of its own.
func sameSums(content []byte, info minio.ObjectInfo, head http.Header) error {
	if want := info.ChecksumSHA256; want != "" && !strings.Contains(want, "-") {
		raw, err := base64.StdEncoding.DecodeString(want)
		if got := sum(content); err != nil || hex.EncodeToString(raw) != got {
			return fmt.Errorf("its SHA-256 is %s and the store says %s: what came is not what was put", got, want)
		}
	}
	encrypted := head.Get("X-Amz-Server-Side-Encryption")
	if etag := strings.Trim(info.ETag, `"`); len(etag) == 32 && (encrypted == "" || encrypted == "AES256") && head.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") == "" {
		got := md5.Sum(content)
		if hex.EncodeToString(got[:]) != strings.ToLower(etag) {
			return fmt.Errorf("its MD5 is %x and the store says %s: what came is not what was put", got, etag)
		}
	}
	return nil
}

// wrong says an error of the store with what to do about it.
func (b *bucket) wrong(err error) error {
	var r minio.ErrorResponse
	if !errors.As(err, &r) || r.Code == "" {
		return fmt.Errorf("%s: %w", b, without(err))
	}
	err = fmt.Errorf("%s: %s: %s", b, r.Code, r.Message)
	switch r.Code {
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken":
		return data.WithHint(err, "credentials are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from the role of the container or machine, or from the shared file of the AWS tools")
	}
	return err
}
