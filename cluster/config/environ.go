package config

import "os"

// Getenv reads the environment. It is here because nobody else may.
func Getenv(key string) string { return os.Getenv(key) }
