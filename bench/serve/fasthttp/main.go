// Command fasthttp is an empty handler of package fasthttp, for bench/serve to
// measure beside its own. It is a module of its own so that Tandem does not
// depend on it.
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(l.Addr())
		err = fasthttp.Serve(l, func(*fasthttp.RequestCtx) {})
	}
	fmt.Fprintln(os.Stderr, "fasthttp:", err)
	os.Exit(1)
}
