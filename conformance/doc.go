// Package conformance runs cases: short programs that map memory, touch it, and say what must happen.
package conformance
