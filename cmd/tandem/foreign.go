package main

import (
	"github.com/spf13/cobra"

	"github.com/tandem-ml/tandem/workflow"
)

func (s *shared) importCommand() *cobra.Command {
	var opt workflow.ImportOptions
	var out string
	c := &cobra.Command{
		Use: "import MODEL -o BUNDLE", GroupID: "engineering", Args: cobra.ExactArgs(1),
		Short: "Make a bundle of a LightGBM, XGBoost or CatBoost model",
		Long: `Import reads a model that another library saved (LightGBM text, XGBoost .json or
.ubj, CatBoost JSON) and writes a bundle that scores as the library does and is
served, explained and watched like any other.

The columns come from the model. With --data the contract, the profile that
production is compared with and the importance of the columns come from that
table, best the training data; without, nothing is refused and drift is not
watched. docs/foreign-models.md says what is equal and how far.`,
		Example: `  tandem import model.txt -o loans.tandem --data loans.csv --target Status --positive bad`,
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return workflow.Usagef("import needs -o BUNDLE")
			}
			if err := notOver(out, args[0], opt.Data); err != nil {
				return err
			}
			if err := workflow.Writable(out); err != nil {
				return err
			}
			b, err := workflow.Import(c.Context(), args[0], opt, workflow.Options{Talk: s.talk()})
			if err != nil {
				return err
			}
			if err := workflow.WriteBundle(out, b); err != nil {
				return err
			}
			trees := 0
			for i := range b.Members {
				trees += len(b.Members[i].Trees.Root) - 1
			}
			if s.json {
				return s.print(map[string]any{"file": out, "bundle": b.ID(), "task": b.Manifest.Task,
					"columns": b.Layout().Cols(), "learner": b.Members[0].Learner, "trees": trees})
			}
			s.say("%s model of %d columns and %d trees\nwrote %s", b.Members[0].Learner, b.Layout().Cols(), trees, out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "the bundle to write")
	f.StringVar(&opt.Data, "data", "", "a table of the training data, to learn contract and profile from")
	f.StringVar(&opt.Target, "target", "", "the column that the model predicts")
	f.StringVar(&opt.Positive, "positive", "", "the target's value whose probability the model gives (default: from --data, else 1)")
	return c
}

func (s *shared) exportCommand() *cobra.Command {
	var to, out string
	var uncalibrated bool
	c := &cobra.Command{
		Use: "export BUNDLE --to LIBRARY -o FILE", GroupID: "engineering", Args: cobra.ExactArgs(1),
		Short: "Write a bundle's trees as a LightGBM or XGBoost model",
		Long: `Export writes a model file that LightGBM (text) or XGBoost (JSON) loads. What the
format cannot say is an error that names it: a blend of several members, a linear
model, steps other than numbers and category codes, a calibration.`,
		Example: `  tandem export loans.tandem --to lightgbm -o model.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case to == "":
				return workflow.Usagef("export needs --to lightgbm or --to xgboost")
			case out == "":
				return workflow.Usagef("export needs -o FILE")
			}
			if err := notOver(out, args[0]); err != nil {
				return err
			}
			b, err := open(args[0])
			if err != nil {
				return err
			}
			if err := workflow.Export(b, to, out, uncalibrated); err != nil {
				return err
			}
			trees := 0
			for i := range b.Members {
				trees += len(b.Members[i].Trees.Root) - 1
			}
			if s.json {
				return s.print(map[string]any{"file": out, "bundle": b.ID(), "to": to})
			}
			s.say("wrote %s", out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&to, "to", "", "lightgbm or xgboost")
	f.StringVarP(&out, "output", "o", "", "the model file to write")
	f.BoolVar(&uncalibrated, "uncalibrated", false, "leave out the calibration of a binary model, which neither format can say")
	return c
}
