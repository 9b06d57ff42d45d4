package main

const tourHelp = `Tour runs the conformance cases section by section, with every runner that works
on this system, and shows what was done and what each runner answered.

SECTION selects by number (49.4, 49.04, 49.4.3) or by the beginning of a file's
name (49.04-file, mremap). CASE is a case's name, and shows all its steps; --list
lists them. Without either, all sections run.

The language of the cases is documented in conformance/LANGUAGE.md. With --cases,
files written in it run from anywhere.

A reader's output has colours on a terminal only, and not if NO_COLOR is set or
TERM is dumb. The data goes to standard output, everything else to standard error.

Exit status:
  0  all answers agree with the cases, and at least one case ran
  1  an answer disagrees, no case ran, or the run failed
  2  the command line or a case file can't be understood
  141, as for any program, if the reader of a pipe is gone

With --json every line of output is one object. Its "type" says which:

  step     one step of a case and what the runners did. A case ends for a runner
           with the first step that it disagrees with.
           section, part     headings; part is there only if the section has parts
           case, title       the case's name, and what it shows
           rules             numbers in conformance/RULES.md
           file, line        where the step stands
           index             0 for the case's first step
           process, step     who does it; the step as written
           expected          what it must do: "ok" is success
           got               by runner: what it did
           status            by runner: agree, mismatch, not-expressed (the runner
                             can't do this step), failed (the runner itself), or
                             not-run (the case had ended for it)
           reason            by runner: why it is not-expressed or failed
           ok                no runner is at mismatch or failed
  case     follows the steps of each case.
           section to line   as above; the line where the case begins
           steps             how many it has
           skipped           why it shows nothing, as "needs root": then it has no
                             steps in the output, or only ones not expressed
           status, reason    by runner, as above, or skipped
           ok                no runner contradicted the case
  summary  the last line.
           cases, passed, failed, skipped   numbers of cases
           runners           for each: runner, and numbers of steps: agreed,
                             mismatched, not_expressed, failed, and the share of
                             the steps that it expresses
           sections          the same for each section, which is named by its file
           reasons           why cases were skipped, and how many
           ok                what the exit status says`
