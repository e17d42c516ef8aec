package stream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Address names a topic and how to reach it:
//
//	kafka://HOST[:PORT][,HOST[:PORT]...]/TOPIC[?SETTING=VALUE&...]
//
// The port is 9092 if none is given. Who we are to the brokers is not part of it
// but of the environment, see [Security].
type Address struct {
	Brokers []string // host:port each
	Topic   string

	Group    string // group=: the consumer group
	Instance string // instance=: this member's lasting name; "": a new one each time
	Project  string // project=: whose model scores; "": the only one
	Dead     string // dead=: the topic of records that cannot be scored; "": their errors go where scores go
	Latest   bool   // from=latest: a new group begins at the end of the topic

	Silent  bool // reasons=false: scores without reasons
	Bare    bool // inputs=false: decisions without their inputs, and without reasons, which quote them
	Largest int  // max_bytes=: of a record that is produced; the brokers' max.message.bytes

	TLS  bool   // tls=true
	SASL string // sasl=: plain, scram-sha-256 or scram-sha-512; "" where no user is known
}

// Role says what an address is for, and so which settings it takes.
type Role string

// The roles.
const (
	Out     Role = "--sink"
	Consume Role = "--consume"
	Produce Role = "--produce"
)

var settings = map[Role][]string{
	Out:     {"inputs", "max_bytes", "sasl", "tls"},
	Consume: {"dead", "from", "group", "instance", "project", "sasl", "tls"},
	Produce: {"max_bytes", "reasons"},
}

const scheme = "kafka://"

// defaultLargest is what brokers take if nobody has told them otherwise.
const defaultLargest = 1_000_000

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// ParseAddress reads the address of a topic that plays a role. In an address
// for [Produce] the brokers may be left out (kafka:///TOPIC): they are those of
// [Consume] anyway. Errors never show what looks like a password.
func ParseAddress(s string, role Role) (Address, error) {
	a := Address{Largest: defaultLargest}
	rest, ok := strings.CutPrefix(s, scheme)
	rest, query, _ := strings.Cut(rest, "?")
	hosts, topic, both := strings.Cut(rest, "/")
	hint := fmt.Sprintf("write it as kafka://HOST:PORT,HOST:PORT/TOPIC; settings that %s takes after a ? are %s", role, strings.Join(settings[role], ", "))
	wrong := func(format string, args ...any) (Address, error) {
		return Address{}, data.WithHint(fmt.Errorf("%s: "+format, append([]any{role}, args...)...), "%s", hint)
	}
	switch {
	case strings.Contains(rest, "@"):
		return Address{}, data.WithHint(fmt.Errorf("%s: an address does not hold a user or a password", role),
			"other users of this machine see command lines: set KAFKA_USERNAME and KAFKA_PASSWORD, or KAFKA_PASSWORD_FILE")
	case !ok || !both:
		return wrong("the address does not begin with kafka://HOST/TOPIC")
	case !isTopic(topic):
		return wrong("%q is not the name of a topic: 1 to 249 letters, digits and . _ -", topic)
	}
	a.Topic = topic
	for host := range strings.SplitSeq(hosts, ",") {
		if hosts == "" && role == Produce {
			break
		}
		broker, err := broker(host)
		if err != nil {
			return wrong("%w", err)
		}
		a.Brokers = append(a.Brokers, broker)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return wrong("the settings after ? cannot be read")
	}
	for name, given := range values {
		if !slices.Contains(settings[role], name) {
			return wrong("it has no setting of this name: %q", name)
		}
		if len(given) != 1 {
			return wrong("%s is given more than once", name)
		}
		if err := a.set(name, given[0]); err != nil {
			return wrong("%s: %w", name, err)
		}
	}
	if role == Consume && a.Group == "" {
		return wrong("group= is missing: the name under which the brokers keep what was scored")
	}
	return a, nil
}

func isTopic(s string) bool { return topicName.MatchString(s) && s != "." && s != ".." }

func broker(s string) (string, error) {
	if ip := net.ParseIP(strings.Trim(s, "[]")); ip != nil {
		s = net.JoinHostPort(ip.String(), "9092")
	} else if !strings.Contains(s, ":") {
		s += ":9092"
	}
	host, port, err := net.SplitHostPort(s)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 1 || n > 65535 || host == "" {
		return "", fmt.Errorf("%q is not HOST:PORT", s)
	}
	return s, nil
}

func (a *Address) set(name, value string) (err error) {
	flag := func(to *bool) error {
		if value != "true" && value != "false" {
			return errors.New("must be true or false")
		}
		*to = value == "true"
		return nil
	}
	switch name {
	case "group":
		a.Group = value
	case "instance":
		a.Instance = value
	case "project":
		a.Project = value
	case "dead":
		if a.Dead = value; !isTopic(value) {
			return fmt.Errorf("%q is not the name of a topic", value)
		}
	case "from":
		if a.Latest = value == "latest"; value != "latest" && value != "earliest" {
			return errors.New("must be earliest or latest")
		}
	case "reasons":
		err = flag(&a.Silent)
		a.Silent = !a.Silent
	case "inputs":
		err = flag(&a.Bare)
		a.Bare = !a.Bare
	case "tls":
		return flag(&a.TLS)
	case "sasl":
		if a.SASL = strings.ToLower(value); !slices.Contains(mechanisms, a.SASL) {
			return fmt.Errorf("must be one of %s", strings.Join(mechanisms, ", "))
		}
	case "max_bytes":
		if a.Largest, err = strconv.Atoi(value); err != nil || a.Largest < 10_000 || a.Largest > 100_000_000 {
			return errors.New("must be a number of bytes from 10000 to 100000000")
		}
	}
	return err
}
