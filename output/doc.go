// Package output writes tokens where profiles want them: a type of output is a sink.
//
// Files come first, and all of a profile's together or none; then commands; then
// streams. A file goes through four steps: look reads the file and makes an edit, stage
// puts the new content on the disk, commit puts it in place, and settle makes that last.
// Plan goes no further than look, so that it cannot say anything else than apply does.
//
// What may be overwritten or deleted is in the package comment of flow/state; owner.go
// has the part that is about whole files.
package output
