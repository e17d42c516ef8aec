// Package load sends requests at a server and measures the answers.
//
// It answers: how long does somebody wait who asks this server, and how much
// does it take? The measuring is honest about waiting in one way that many load
// generators are not.
//
// # Closed and open loop
//
// In a closed loop each of N connections sends its next request when the answer
// to the one before has come. It shows how much a server can do, but not how
// long people wait: when the server stalls, the generator stalls with it, and one
// pause of 200 ms in a run of 10,000 requests is N slow answers, far above any
// percentile that is looked at. This is called coordinated omission (Gil Tene,
// "How NOT to Measure Latency", 2013).
//
// People do not wait for each other. In an open loop requests are due at times
// that are fixed beforehand, R a second, and the latency of a request counts from
// the moment it was due, whether or not a connection was free to send it then. The
// same pause is now seen by all requests that were due in it: at 1,000 a second
// by 200, the first of which waited for 200 ms, the last for one.
//
//	due       0    1    2    3    4    5      a request each 10 ms, one connection,
//	sent      0    1    2         .34  5      and a server that stalls in 2
//	answered  .0   .1   .2-------->.34  .5
//	latency   1    1    22   12   3    1      in ms, from due to answered
//
// # Words
//
// Latency is from due to the answer's last byte (in a closed loop a request is
// due when it is sent), service time from sent to the same moment. A request
// waited if all connections were busy when it was due. Lag is how late the
// generator itself was: from when a request was due and a connection was free to
// when it was sent. Where lag is a large part of latency, the machine was too busy
// for the generator, and the numbers are of the generator: the result says so.
//
// Every answer counts in the percentiles, whatever its status. So do requests
// that got no answer within the timeout, or could not even be sent by then: they
// waited at least as long as is counted for them. Connections that were refused or
// broken do not, as nobody knows how long their answer would have taken; they are
// counted by kind.
//
// # What it is made of
//
// The client writes HTTP/1.1 by hand and reads of an answer what it must (status,
// framing), since generator and server often share a machine and what one takes
// the other lacks. Percentiles come from HDR histograms, three digits exact.
//
// It does not speak HTTP/2, follow redirects, send cookies or check what the
// answers say.
package load
