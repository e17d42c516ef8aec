package explore_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/tandem-ml/tandem/chart/browsertest"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explore"
)

var shots = flag.String("shots", "", "write pictures of the pages to this folder")

// faint names texts outside of pictures whose contrast with what is behind them
// is below 4.5 to 1, the least of WCAG 2.2 (1.4.3).
const faint = `(() => {
	const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const lum = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*f[0] + 0.7152*f[1] + 0.0722*f[2]; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
	const out = [];
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest("svg, script") || !e.getClientRects().length) continue;
		const a = lum(rgb(getComputedStyle(e).color)), b = lum(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) out.push(e.tagName + "." + e.getAttribute("class") + " " + ratio.toFixed(1) + " " + e.textContent.trim().slice(0, 30));
	}
	return out.slice(0, 3).join("; ");
})()`

// hostile is a table whose every name and value would like to run.
func hostile(t *testing.T, index int) *data.Table {
	const n = 400
	rng := seed.Stream(13, "hostile", index)
	evil := []string{`<script>window.ran=1</script>`, `"><img src=x onerror="window.ran=1">`, `</style><svg onload="window.ran=1">`, `</script><script>window.ran=1</script>`, `javascript:window.ran=1`, `{{.}}${window.ran=1}`}
	a := fill(n, func(int) float64 { return rng.NormFloat64() })
	cols := []*data.Column{
		number(evil[0], a...), number(evil[1]+" copy", fill(n, func(i int) float64 { return a[i]*3 + 0.01*rng.NormFloat64() })...),
		number("half missing", fill(n, func(i int) float64 {
			if i%2 == 0 {
				return nan
			}
			return rng.NormFloat64()
		})...),
		category(evil[2], fill(n, func(int) string { return evil[rng.IntN(len(evil))] })...),
		category(evil[4], fill(n, func(int) string { return evil[rng.IntN(2)] + strconv.Itoa(rng.IntN(150)) })...),
		{Name: evil[5], Kind: data.Text, Texts: fill(n, func(int) string { return evil[rng.IntN(len(evil))] + " words " + evil[rng.IntN(len(evil))] })},
		{Name: "at" + evil[3], Kind: data.Time, Times: fill(n, func(i int) int64 { return int64(i) * 86400e6 })},
		category("y"+evil[3], fill(n, func(i int) string {
			if a[i]+rng.NormFloat64() > 0.7 {
				return evil[3]
			}
			return evil[1]
		})...)}
	for j := range 12 {
		cols = append(cols, number(fmt.Sprint("x", j), fill(n, func(int) float64 { return float64(index) + rng.NormFloat64() })...))
	}
	return table(t, cols...)
}

// TestInABrowser draws the pages as people see them, narrow and wide, light and
// dark, with scripts and without: nothing of the data runs, nothing overflows.
func TestInABrowser(t *testing.T) {
	ctx := browsertest.Page(t)
	tab := hostile(t, 0)
	page := render(t, build(t, tab, explore.Options{Title: `<script>window.ran=1</script>`, Target: tab.Columns[7].Name}).HTML)
	against := render(t, explore.Compare(tab, hostile(t, 1), `<script>window.ran=1</script>`, `"onload="window.ran=1`).HTML)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/against" {
			fmt.Fprint(w, against)
		} else {
			fmt.Fprint(w, page)
		}
	}))
	defer server.Close()
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	for _, path := range []string{"/page", "/against"} {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{400, 1400} {
				at := fmt.Sprintf("%s, %s, %d wide", path, theme, width)
				if err := chromedp.Do(ctx, prefer(theme), chromedp.EmulateViewport(width, 900), chromedp.Navigate(server.URL+path)); err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				ask(t, ctx, `document.querySelectorAll("details").forEach(e => e.open = true)`)
				if got := ask(t, ctx, "window.ran"); got != "undefined" {
					t.Fatalf("%s: something of the data ran", at)
				}
				if got := ask(t, ctx, `document.querySelectorAll("script, img, iframe, object, embed, link, [onload], [onerror]").length`); got != "1" {
					t.Errorf("%s: %s elements that could run, want the page's own script", at, got)
				}
				if wide := ask(t, ctx, browsertest.Overflow); wide != "" {
					t.Errorf("%s: wider than the window: %s", at, wide)
				}
				if pale := ask(t, ctx, faint); pale != "" {
					t.Errorf("%s: hard to read: %s", at, pale)
				}
				if *shots != "" {
					picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(90))
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", path[1:], theme, width)), picture, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	// The page's own script sorts, filters and enlarges.
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/page")); err != nil {
		t.Fatal(err)
	}
	first := ask(t, ctx, `(() => { const t = document.querySelector("table.filter"); t.tHead.rows[0].cells[6].querySelector("button").click(); return t.tBodies[0].rows[0].cells[6].textContent >= t.tBodies[0].rows[1].cells[6].textContent; })()`)
	left := ask(t, ctx, `(() => { const i = document.querySelector("label.filter input"); i.value = "x11"; i.dispatchEvent(new Event("input")); return [...document.querySelector("table.filter").tBodies[0].rows].filter(r => !r.hidden).length; })()`)
	zoomed := ask(t, ctx, `(() => { document.querySelector("button.zoom").click(); return document.querySelectorAll(".card.zoomed").length; })()`)
	if first != "true" || left != "1" || zoomed != "1" {
		t.Errorf("sorted %s, %s rows after the filter, %s charts enlarged", first, left, zoomed)
	}
	// Without scripts all of it is there, and no control that would do nothing.
	off := chromedp.Action[chromedp.Void](func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
	if err := chromedp.Do(ctx, off, chromedp.Navigate(server.URL+"/page")); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, ctx, `document.querySelectorAll("button").length + " " + (document.querySelectorAll("svg.chart").length > 20) + " " + (document.querySelectorAll("details table").length > 15)`); got != "0 true true" {
		t.Errorf("with scripts off: buttons, charts, tables: %s", got)
	}
}

// prefer sets the theme of the reader's system.
func prefer(theme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return chromedp.Void{}, err
	}
}

// ask evaluates an expression in the page and returns it as text.
func ask(t *testing.T, ctx context.Context, expression string) string {
	t.Helper()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
