// Package stream moves decisions and rows through Kafka, both ways.
//
// # Out: every decision reaches a topic
//
// A [Sink] reads the decision log from a position on and produces each record
// of the log to a topic. The log on disk stays the source of truth, and it is
// also the buffer: while the broker is away nothing but one batch is in memory.
// The position, kept in a small file, moves only when the broker has confirmed;
// so after a crash of either side nothing is lost, and at most the last batch is
// sent again. Each record carries its number in the log and its link of the
// chain, by which a consumer knows a repeated one.
//
// Where there is no log, [Topic] produces decisions before they are answered:
// what the broker does not confirm in time is not answered.
//
// # In: rows are scored as they come
//
// A [Scorer] is a member of a consumer group: it takes blocks of rows from one
// topic, has them scored, and produces the answers to another. Answers and
// consumed offsets are committed in one transaction of Kafka: a consumer that
// reads what is committed sees exactly one answer to each row, whatever is
// killed when. A record that cannot be scored is answered with an error, or goes
// to a dead-letter topic, in the same transaction.
//
// # Words
//
//	address   kafka://HOST:PORT,HOST:PORT/TOPIC?SETTINGS; see [Address]
//	position  where the record lies in the log that was confirmed last
//	lag       what is not sent, or not scored, yet: in records and in seconds
//	source    TOPIC/PARTITION/OFFSET of a consumed record
//
// # What it does not do
//
// It creates no topics. It knows no schema registry. The decision log, where
// rows from a stream are scored beside one, is not part of a transaction: a
// block that was given up and taken again stands in it twice, with the same
// source as request id.
//
// docs/streaming.md is the page for those who run it.
package stream
