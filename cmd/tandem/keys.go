package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/observe"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/settings"
	"github.com/tandem-ml/tandem/workflow"
)

// accessFlags are those of every command that serves.
func accessFlags(c *cobra.Command, a *serve.Access, o *observe.Settings) {
	settingFlags(c, &settings.Target{Access: a, Observe: o}, settings.Access)
	c.PreRunE = func(*cobra.Command, []string) error {
		if err := a.Check(); err != nil {
			return &workflow.UsageError{Err: err}
		}
		return nil
	}
}

// settingFlags gives a command the flags of a group of settings.
func settingFlags(c *cobra.Command, t *settings.Target, group settings.Group) {
	for _, one := range settings.All {
		if one.Group == group && !one.Secret {
			c.Flags().Var(one.Var(t), one.Name, one.Doc+" (default "+one.Default+")")
			c.Flags().Lookup(one.Name).DefValue = "" // which help would show once more
		}
	}
}

func (s *shared) keysCommand() *cobra.Command {
	var project, folder string
	root := &cobra.Command{
		Use: "keys", GroupID: "engineering", Args: cobra.NoArgs,
		Short: "Make, list and revoke the API keys that a server takes",
		Long: `Keys says who may ask a server for what. A project's keys are in its state and
count from the next tandem up on; for tandem serve and tandem-scorer they are in a
folder of their own. Revoked and new keys are in force within seconds.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&project, "dir", ".", "the project's folder")
	root.PersistentFlags().StringVar(&folder, "keys", "", "the folder of keys (default: the project's)")
	in := func() string {
		if folder != "" {
			return folder
		}
		return workflow.KeysDir(project)
	}
	var scopes []string
	var rate string
	var burst int
	expires := "365d"
	create := &cobra.Command{Use: "create NAME", Args: usage(cobra.ExactArgs(1)), Short: "Make a key and print it, once",
		Long: `Create makes a key and prints it. It cannot be printed again: only a hash is kept.

Scopes: score (scores and reasons), read (logged decisions, pages, metrics),
operate (outcomes), approve (promotions).`,
		RunE: func(_ *cobra.Command, args []string) error {
			lifetime, err := lifetimeOf(expires)
			if err != nil {
				return err
			}
			var list []keys.Scope
			for _, name := range scopes {
				list = append(list, keys.Scope(name))
			}
			limited, err := limit.ParseRate(rate, burst)
			if err != nil {
				return &workflow.UsageError{Err: err}
			}
			text, k, err := keys.CreateLimited(in(), args[0], list, lifetime, limited, time.Now())
			if err != nil {
				return err
			}
			if s.json {
				return s.print(struct {
					Key string   `json:"key"`
					Of  keys.Key `json:"of"`
				}{text, k})
			}
			s.talk().Line("key %s for %s: %s, %s%s. It is not shown again.", k.ID, k.Name, scopesOf(k), expiryOf(k), rateOf(k))
			s.say("%s", text)
			return nil
		}}
	create.Flags().StringSliceVar(&scopes, "scope", []string{"score"}, "what it is good for: score, read, operate, approve")
	create.Flags().StringVar(&expires, "expires", expires, "after how long: 90d, 12h, never")
	create.Flags().StringVar(&rate, "rate", "", "how often it may be used, such as 100/s or 600/m (default: as the server says)")
	create.Flags().IntVar(&burst, "burst", 0, "how many times at once (0: a second's worth)")
	list := &cobra.Command{Use: "list", Args: usage(cobra.NoArgs), Short: "List the keys",
		RunE: func(*cobra.Command, []string) error {
			all, err := keys.List(in())
			if s.json {
				if all == nil {
					all = []keys.Key{}
				}
				return both(s.print(all), err)
			}
			for _, k := range all {
				s.say("%s  %-20s %-28s made %s, %s%s", k.ID, k.Name, scopesOf(k), k.Created.Format(time.DateOnly), expiryOf(k), rateOf(k))
			}
			return err
		}}
	revoke := &cobra.Command{Use: "revoke ID", Args: usage(cobra.ExactArgs(1)), Short: "Make a key worthless",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := keys.Revoke(in(), args[0]); err != nil {
				return data.WithHint(fmt.Errorf("revoke %s in %s: %w", args[0], in(), err), "tandem keys list shows the ids")
			}
			s.talk().Line("key %s is revoked", args[0])
			return nil
		}}
	root.AddCommand(create, list, revoke)
	return root
}

func scopesOf(k keys.Key) string {
	var names []string
	for _, s := range k.Scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, ",")
}

func rateOf(k keys.Key) string {
	if !k.Rate.Limited() {
		return ""
	}
	return ", " + k.Rate.String()
}

func expiryOf(k keys.Key) string {
	switch {
	case k.Expires == nil:
		return "never expires"
	case time.Now().After(*k.Expires):
		return "expired on " + k.Expires.Format(time.DateOnly)
	}
	return "expires on " + k.Expires.Format(time.DateOnly)
}

// lifetimeOf reads 90d, 12h or never, which is 0.
func lifetimeOf(text string) (time.Duration, error) {
	if text == "never" {
		return 0, nil
	}
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		if n > 36500 {
			n = 0
		}
		d = time.Duration(n) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return 0, workflow.Usagef("--expires %q is not a time such as 90d, 12h or never", text)
	}
	return d, nil
}
