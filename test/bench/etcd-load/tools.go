//go:build tools

// Package tools names etcd's own load generator, so that its version and checksums are pinned.
package tools

import _ "go.etcd.io/etcd/v3/tools/benchmark"
