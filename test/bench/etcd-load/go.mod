module kedge.dev/bench/etcd-load
go 1.26.0
require go.etcd.io/etcd/v3 v3.6.8
