// Package parse reads the text out of files: PDF, DOCX, XLSX, CSV, HTML,
// Markdown and plain text, told apart by what is in them and not by their
// names. It gives what it reads to a Sink piece by piece, so that a file of any
// length needs little memory.
//
// It refuses to trust a file: sizes, depths and ratios are limited, and
// entities of XML are not expanded. It does not limit the process it runs in;
// package ingest runs it in a child that is limited. Pictures are not read:
// there is no recognition of characters here.
//
// PDF is read by poppler's pdfinfo and pdftotext (poppler-utils), XLSX by
// excelize, the readable part of HTML by go-readability; the rest is read here.
package parse
