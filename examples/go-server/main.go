// Counts the words of a text. An HTTP server of Go's standard library; nothing in it knows of Hearth.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	maxBytes = 1 << 20
	maxWords = 5
)

type count struct {
	Word  string `json:"word"`
	Times int    `json:"times"`
}

func words(response http.ResponseWriter, request *http.Request) {
	times := map[string]int{}
	// Read word by word: a large text need not be in memory as a whole.
	scanner := bufio.NewScanner(http.MaxBytesReader(response, request.Body, maxBytes))
	scanner.Split(bufio.ScanWords)
	for scanner.Scan() {
		word := strings.ToLower(strings.TrimFunc(scanner.Text(), func(r rune) bool { return !unicode.IsLetter(r) }))
		if word != "" {
			times[word]++
		}
	}
	if err := scanner.Err(); err != nil {
		http.Error(response, "the text is larger than 1 MiB, or has a word that is", http.StatusRequestEntityTooLarge)
		return
	}
	counts := make([]count, 0, len(times))
	for word, n := range times {
		counts = append(counts, count{word, n})
	}
	// Maps have no order: words that come as often stand by the alphabet.
	sort.Slice(counts, func(i, j int) bool {
		if counts[i].Times != counts[j].Times {
			return counts[i].Times > counts[j].Times
		}
		return counts[i].Word < counts[j].Word
	})
	if len(counts) > maxWords {
		counts = counts[:maxWords]
	}
	response.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(response).Encode(counts); err != nil {
		log.Print(err)
	}
}

func main() {
	http.HandleFunc("/words", words)
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), ReadHeaderTimeout: 10 * time.Second}
	// The platform says by SIGTERM that the instance is no longer needed.
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-ended.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
