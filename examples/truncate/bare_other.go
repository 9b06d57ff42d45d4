//go:build !unix

package main

import "errors"

func openBare(string) (mapping, error) { return nil, errors.ErrUnsupported }
