package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary be the children.
func TestMain(m *testing.M) {
	if name, isChild := os.LookupEnv(childEnv); isChild {
		exitOn(child(name))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func Example() {
	if err := run(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 4 children, 10000 rounds each: anonymous 40000, file 40000
}
