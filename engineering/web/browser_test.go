package web_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/tandem-ml/tandem/chart/browsertest"
)

var shots = flag.String("shots", "", "write pictures of the pages to this folder")

// faint names texts whose contrast with what is behind them is below 4.5 to 1,
// the least of WCAG 2.2 (1.4.3).
const faint = `(() => {
	const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const lum = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*f[0] + 0.7152*f[1] + 0.0722*f[2]; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
	const out = [];
	for (const e of document.querySelectorAll("body *")) {
		const svg = e.tagName.toLowerCase() === "text";
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest(".skip, .hidden, title, desc") || !e.getClientRects().length) continue;
		const style = getComputedStyle(e), a = lum(rgb(svg ? style.fill : style.color)), b = lum(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) out.push(e.tagName + "." + e.getAttribute("class") + " " + ratio.toFixed(1) + " " + e.textContent.trim().slice(0, 30));
	}
	return out.slice(0, 3).join("; ");
})()`

// TestInABrowser draws every page as people see it: narrow and wide, light and
// dark.
func TestInABrowser(t *testing.T) {
	ctx := browsertest.Page(t)
	w := lived(t)
	server := httptest.NewServer(w.pages())
	defer server.Close()

	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	console := complaints(ctx)
	papers := map[string]string{}
	for _, c := range []struct{ name, path, title string }{
		{"home", "/", "credit: alarm · Tandem"},
		{"model", "/models/credit", "credit version 2 · Tandem"},
		{"leaderboard", "/leaderboard/credit", "credit leaderboard · Tandem"},
		{"decisions", "/decisions/credit", "credit decisions · Tandem"},
		{"decision", "/decision/" + w.newest, "Decision " + w.newest + " · Tandem"},
		{"drift", "/drift/credit", "credit drift · Tandem"},
		{"audit", "/audit/credit", "credit audit trail · Tandem"},
	} {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{400, 1200} {
				at := fmt.Sprintf("%s, %s, %d wide", c.path, theme, width)
				err := chromedp.Do(ctx, prefer(theme), chromedp.EmulateViewport(width, 900), chromedp.Navigate(server.URL+c.path))
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				ask(t, ctx, `document.querySelectorAll("details").forEach(e => e.open = true)`)
				title, wide, pale, paper := ask(t, ctx, "document.title"), ask(t, ctx, browsertest.Overflow), ask(t, ctx, faint), ask(t, ctx, "getComputedStyle(document.body).backgroundColor")
				papers[theme] = paper
				if title != c.title {
					t.Errorf("%s: the title is %q, want %q", at, title, c.title)
				}
				if wide != "" {
					t.Errorf("%s: wider than the window: %s", at, wide)
				}
				if pale != "" {
					t.Errorf("%s: hard to read: %s", at, pale)
				}
				if *shots != "" {
					picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", c.name, theme, width)), picture, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if papers["light"] == papers["dark"] {
		t.Errorf("the background is %s in both themes", papers["light"])
	}
	// The page can be walked with the keyboard: the first stop leads over the
	// navigation to the content.
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.KeyEvent("\t")); err != nil {
		t.Fatal(err)
	}
	if first := ask(t, ctx, `document.activeElement.getAttribute("href")`); first != "#content" {
		t.Errorf("the first stop of the tab key is %q", first)
	}
	ask(t, ctx, "console.log('"+theEnd+"')")
	if found := <-console; len(found) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(found, "\n"))
	}
}

// theEnd is what the test itself writes to the console when it is done.
const theEnd = "the end of the test"

// complaints gathers what the pages write to the console until theEnd.
func complaints(ctx context.Context) <-chan []string {
	out := make(chan []string, 1)
	messages := chromedp.Console(ctx)
	go func() {
		var found []string
		for m, err := range messages {
			if err != nil {
				found = append(found, err.Error())
				break
			}
			if m.Text == theEnd {
				break
			}
			found = append(found, m.String()+" "+m.URL)
		}
		out <- found
	}()
	return out
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
