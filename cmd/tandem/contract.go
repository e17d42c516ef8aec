package main

import (
	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) contractCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "contract DATA|DIR|BUNDLE", GroupID: "science", Args: cobra.ExactArgs(1),
		Short: "Write what the columns must be, as a file to edit: kinds, bounds, categories, what is required",
		Long: `Write the contract of a table, of a project's data, or of a bundle as YAML. Edited, and
named in tandem.yaml as data.contract, it is held to in training and in production.`,
		Example: `  tandem contract loans.csv -o contract.yaml
  tandem contract credit.tandem`,
		RunE: func(c *cobra.Command, args []string) error {
			if out != "" {
				if err := notOver(out, args[0]); err != nil {
					return err
				}
			}
			contract, text, err := workflow.ContractOf(c.Context(), args[0], workflow.Options{Talk: s.talk()})
			if err != nil {
				return err
			}
			if out != "" {
				if err := workflow.WriteText(out, text); err != nil {
					return err
				}
			}
			switch {
			case s.json:
				return s.print(contract)
			case out != "":
				s.say("wrote %s", out)
			default:
				_, err = s.stdout.Write(text)
			}
			return err
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file to write (default: stdout)")
	return c
}
