package library

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// answerTime is how long a worker may take for one request. A step takes microseconds, or what its own system calls take.
const answerTime = 2 * time.Minute

// A child is a worker as its parent sees it.
type child struct {
	*channel
	cmd    *exec.Cmd
	stderr *bytes.Buffer // what it printed before it died, if it did

	interrupted atomic.Bool // nobody waits for its replies any more
}

// startChild starts a worker.
func startChild(program string) (*child, error) {
	messages, theirMessages, err := socketPair("messages")
	if err != nil {
		return nil, err
	}
	defer theirMessages.Close()
	rights, theirRights, err := socketPair("descriptors")
	if err != nil {
		return nil, errors.Join(err, messages.Close())
	}
	defer theirRights.Close()
	c := &child{channel: newChannel(messages, rights), cmd: exec.Command(program), stderr: new(bytes.Buffer)}
	// A program built with the race detector sleeps a second before it exits, if nobody says otherwise.
	c.cmd.Env = append(os.Environ(), workerVariable+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	c.cmd.ExtraFiles = []*os.File{theirMessages, theirRights}
	c.cmd.Stderr = c.stderr
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(err, messages.Close(), rights.Close())
	}
	return c, nil
}

// socketPair returns our end of a socket, which knows deadlines, and the other one.
func socketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	err = syscall.SetNonblock(fds[0], true)
	ours, theirs = os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	if err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("fcntl", err), ours.Close(), theirs.Close())
	}
	return ours, theirs, nil
}

// ask sends a request and waits for the reply. If none comes, the worker is ended, and the error tells what it printed.
func (c *child) ask(r request) (reply, error) {
	var answer reply
	err := c.messages.SetDeadline(time.Now().Add(answerTime))
	if err == nil && c.interrupted.Load() {
		err = errors.New("interrupted")
	}
	if err == nil {
		err = c.enc.Encode(r)
	}
	if err == nil {
		err = c.dec.Decode(&answer)
	}
	if err != nil {
		return reply{}, fmt.Errorf("the worker died: %w", errors.Join(err, c.kill(), c.lastWords()))
	}
	if answer.Err != "" {
		return reply{}, errors.New(answer.Err)
	}
	return answer, nil
}

// interrupt has the request that waits for a reply, or the next one, fail. A deadline that can't be set any more is that
// of a worker that is gone.
func (c *child) interrupt() {
	c.interrupted.Store(true)
	_ = c.messages.SetDeadline(time.Now())
}

// lastWords is what a dead worker printed, shortened to the message of its panic.
func (c *child) lastWords() error {
	const enough = 2000
	text := strings.TrimSpace(c.stderr.String())
	if len(text) > enough {
		text = text[:enough] + "…"
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// end lets the worker close everything and look for leaks, and waits until it is gone.
func (c *child) end() error {
	if _, err := c.ask(request{End: true}); err != nil {
		return errors.Join(err, c.kill())
	}
	return errors.Join(c.wait(), c.lastWords())
}

// kill ends the worker, wherever it is.
func (c *child) kill() error {
	if c.cmd.ProcessState != nil {
		return nil // it has been waited for
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var status *exec.ExitError
	if err := c.wait(); err != nil && !errors.As(err, &status) {
		return err
	}
	return nil
}

// wait waits for the worker's end.
func (c *child) wait() error {
	return errors.Join(c.cmd.Wait(), c.messages.Close(), c.rights.Close())
}
