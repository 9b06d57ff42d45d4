// Memmap shows what memory mappings do, on the system that it runs on.
//
//	memmap tour [--cases PATH]... [--runner NAME]... [--json | --list | --verbose] [SECTION | CASE]...
//
// Tour runs the conformance cases of chapter 49, Memory Mappings, and shows section by section what was done and what
// each runner answered. A runner carries out a case in its own way: kernel by raw system calls, memmap through
// the exported API of package memmap.
// SECTION selects by number, as in 49.4 or 49.4.3, or by the beginning of a file's name, as in 49.08 or mremap. CASE is
// the name of a case, all of whose steps are shown then.
//
//	--cases PATH   run case files from anywhere: a file, all *.txt in a directory, or - for standard input
//	--runner NAME  use only this runner
//	--json         write one JSON object a line
//	--list         list sections and cases, and run nothing
//	--verbose      show every step of every case
//
// # Exit status
//
// It is 0 if all answers agree with the cases and at least one case ran; 1 if an answer disagrees, no case ran or the
// run itself failed; 2 if the command line or a case file can't be understood. If the reader of a pipe is gone, it is
// that of a program that SIGPIPE ends: 141.
//
// # JSON
//
// Each line is one object. Its field type is "step", "case" or "summary".
//
// A step object has section and part (titles; part only where a section has parts), case, title, rules, file, line,
// index (from 0), process, step (the source text), expected, and by the runners' names: got, status (agree, mismatch,
// not-expressed, failed or not-run) and reason. Its ok says that no runner is at mismatch or failed.
//
// A case object follows the steps of each case. It has the same first fields, steps (how many), status and reason by
// runner, ok, and skipped if the case shows nothing here, with the reason: "needs root".
//
// The summary object is the last line: cases, passed, failed, skipped; runners, each with its numbers of steps agreed,
// mismatched, not_expressed, failed, and the share that it expresses; sections, the same for each; reasons, why cases
// were skipped and how many; ok, what the exit status says.
package main
