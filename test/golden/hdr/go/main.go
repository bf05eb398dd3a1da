// Reads our payloads and writes its own of the same values: go run . recorded.tsv ours.tsv, result on stdout.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

func main() {
	for _, fields := range lines(os.Args[2]) {
		read, err := hdr.Decode([]byte(fields[1]))
		check(err)
		fmt.Printf("reads\t%s\t%s\n", fields[0], counts(read))
	}
	names, histograms := recorded(os.Args[1])
	for _, name := range names {
		envelope, err := histograms[name].Encode(hdr.V2CompressedEncodingCookieBase)
		check(err)
		fmt.Printf("writes\t%s\t%s\n", name, envelope)
		fmt.Printf("counts\t%s\t%s\n", name, counts(histograms[name]))
	}
}

func recorded(file string) ([]string, map[string]*hdr.Histogram) {
	var names []string
	histograms := map[string]*hdr.Histogram{}
	for _, fields := range lines(file) {
		histogram := hdr.New(1, 3600000000, 3)
		for _, pair := range strings.Split(fields[1], ",") {
			value, times, found := strings.Cut(pair, ":")
			if !found {
				continue
			}
			check(histogram.RecordValues(number(value), number(times)))
		}
		names = append(names, fields[0])
		histograms[fields[0]] = histogram
	}
	return names, histograms
}

func counts(histogram *hdr.Histogram) string {
	var pairs []string
	for _, bar := range histogram.Distribution() {
		if bar.Count > 0 {
			pairs = append(pairs, fmt.Sprintf("%d:%d", bar.From, bar.Count))
		}
	}
	return strings.Join(pairs, ",")
}

func lines(file string) [][]string {
	opened, err := os.Open(file)
	check(err)
	defer opened.Close()
	var all [][]string
	scanner := bufio.NewScanner(opened)
	scanner.Buffer(make([]byte, 1<<20), 1<<20)
	for scanner.Scan() {
		all = append(all, strings.Split(scanner.Text(), "\t"))
	}
	check(scanner.Err())
	return all
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
