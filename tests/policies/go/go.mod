module servers

go 1.18

require github.com/q191201771/lal v0.37.4
