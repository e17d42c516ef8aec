// Package limit answers "may this one come in now, and if not, when?": how much
// work is done at once and how much waits ([Gate]), how many bytes are held
// ([Budget]), and how often one caller may ask ([Rates]).
//
// None of them starts a goroutine, holds a lock while anything waits, or keeps
// memory without a bound. What is refused is refused at once, with the time
// after which trying again makes sense.
package limit
