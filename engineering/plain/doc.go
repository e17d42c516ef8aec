// Package plain brings the plain requests of one route to a handler, faster
// than net/http does, and leaves everything else to net/http.
//
// A service that scores rows is sent the same short request thousands of times a
// second: POST, a path, five header fields, a length, a body. To read those and
// to write their answers takes net/http several times as long as to score the
// row. A [Listener] stands between a net.Listener and an http.Server and reads
// the connections first:
//
//	           connections                  the unusual, bytes and all
//	net.Listener ----------> plain.Listener ---------------------------> http.Server
//	                               | plain requests                            |
//	                               +----------------> Handler <----------------+
//
// A request is plain if there is nothing in its head that two readers could take
// in two ways: the exact method, route and version, lines that end with CR LF,
// known fields in visible ASCII, each at most once, a Host, and a body of a
// stated length that is not large ([MaxBody]). Where the first byte is another,
// or any after it, the connection belongs to net/http from there on, to its end: it
// reads the request from its beginning, and decides. So whatever is
// refused, negotiated or streamed is net/http's; a connection never has two
// readers in turn; and of a request that is taken here net/http would
// understand the same, which FuzzHead holds against it.
//
// The handler is the same [net/http.Handler] for both, so that every rule about
// who may ask for what stands in one place. What it may not count on here: that
// the client's leaving ends the request's context (bodies are small, so answers
// are quick), and that an answer goes out before the handler returns.
package plain
