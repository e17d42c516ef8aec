package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) initCommand() *cobra.Command {
	var out string
	var strict bool
	c := &cobra.Command{
		Use: "init FILE", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Write a project file from the data, with its guesses as comments",
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = filepath.Join(filepath.Dir(args[0]), project.FileName)
			}
			if _, err := os.Lstat(out); err == nil {
				return data.WithHint(fmt.Errorf("%s exists already", out), "remove it, or name another file with -o")
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			notes, err := workflow.Init(c.Context(), args[0], out, workflow.Options{Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			if s.json {
				return s.print(map[string]any{"file": out, "notes": notes})
			}
			for _, n := range notes {
				s.say("%s", n)
			}
			s.say("wrote %s; look through its guesses, then: tandem run %s", out, filepath.Dir(out))
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file to write (default: tandem.yaml beside FILE)")
	strictFlag(c, &strict)
	return c
}

func (s *shared) runCommand() *cobra.Command {
	var workers int
	var strict bool
	c := &cobra.Command{
		Use: "run [DIR]", GroupID: "science", Args: cobra.MaximumNArgs(1),
		Short: "Run a project's stages, from raw file to verified bundle; unchanged ones come from the cache",
		RunE: func(c *cobra.Command, args []string) error {
			run, err := workflow.RunProject(c.Context(), folder(args), workflow.Options{Workers: workers, Talk: s.talk(), Strict: strict})
			if err != nil {
				return err
			}
			held := workflow.GatesHeld(run.Bundle.Card)
			if s.json {
				return both(s.print(run.JSON()), held)
			}
			s.say("%s", run.Text())
			return held
		},
	}
	c.Flags().IntVar(&workers, "workers", 0, "how many processors to use (0: all); the result does not depend on it")
	strictFlag(c, &strict)
	return c
}
