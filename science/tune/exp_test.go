package tune_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/tune"
)

var all = []struct {
	realTable
	lgb float64
}{
	{realTable{"credit/credit_data.csv", "Status", "bad", "Age,Marital", false}, .8273},
	{realTable{"credit/german_credit.csv", "class", "2", "", false}, .7724},
	{realTable{"credit/hmda_boston.csv", "deny", "yes", "", false}, .8012},
	{realTable{"credit/isl_default.csv.gz", "default", "Yes", "", false}, .9343},
	{realTable{"credit/lending_club.csv.gz", "Class", "bad", "", false}, .6880},
	{realTable{"churn/telco_churn.csv.gz", "Churn", "Yes", "customerID", false}, .8365},
	{realTable{"churn/mlc_churn.csv.gz", "churn", "yes", "", false}, .9219},
	{realTable{"churn/caravan.csv.gz", "Purchase", "Yes", "", false}, .7360},
	{realTable{"general/titanic.csv", "Survived", "1", "PassengerId,Name,Ticket,Cabin", false}, .8592},
	{realTable{"general/breast_cancer_wdbc.csv.gz", "target", "0", "", false}, .9933},
	{realTable{"general/pima_diabetes.csv", "diabetes", "1", "", false}, .7948},
	{realTable{"general/spambase.csv.gz", "type", "spam", "", false}, .9896},
	{realTable{"general/mushroom.csv.gz", "type", "p", "", false}, 1},
	{realTable{"fraud/mammography.csv.gz", "class", "1", "", false}, .9340},
	{realTable{"fraud/vehicle_claims_fraud.csv.gz", "FraudFound_P", "1", "PolicyNumber", false}, .8411},
	{realTable{"credit/default_credit_card.csv.gz", "class", "1", "ID", false}, .7795},
	{realTable{"general/adult_train.csv.gz", "income", ">50K", "", false}, .9289},
	{realTable{"general/mpg.csv", "mpg", "", "name", false}, 2.767},
	{realTable{"general/wine_quality.csv.gz", "quality", "", "", false}, .6418},
	{realTable{"general/ames_housing.csv.gz", "Sale_Price", "", "", true}, .1315},
	{realTable{"general/bike_hour.csv.gz", "cnt", "", "instant,dteday,casual,registered", false}, 41.42},
	{realTable{"general/concrete.csv.gz", "strength", "", "", false}, 4.489},
	{realTable{"general/medical_insurance.csv.gz", "charges", "", "", false}, 4773},
}

func TestExp(t *testing.T) {
	for _, r := range all {
		if f := os.Getenv("EXP"); f == "" || f != "all" && !strings.Contains(f, r.file) && !strings.Contains(r.file, f) {
			continue
		}
		c := r.load(t)
		c.Now = time.Now
		start := time.Now()
		res, err := tune.Search(context.Background(), c)
		if err != nil {
			t.Error(r.file, err)
			continue
		}
		fmt.Printf("%s n=%d lgb %.4f  %.1fs\n", r.file, c.Rows.N, r.lgb, time.Since(start).Seconds())
		for i, l := range res.Leaderboard {
			mark := " "
			if i == res.Chosen {
				mark = "*"
			}
			if c.Task == bundle.Binary {
				fmt.Printf("  %s%-20s AUC %.4f sd %.4f ll %.4f %5.1fs %v\n", mark, l.Learner, *l.AUC, *l.AUCSD, *l.LogLoss, l.Seconds, l.Params)
			} else {
				fmt.Printf("  %s%-20s RMSE %.4f mae %.4f %5.1fs %v\n", mark, l.Learner, *l.RMSE, *l.MAE, l.Seconds, l.Params)
			}
		}
		for _, f := range res.Failed {
			fmt.Println("  FAILED", f)
		}
	}
}
