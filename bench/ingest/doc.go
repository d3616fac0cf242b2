// Package ingest measures the reading of files: for each format a long file is
// written, and read in the limited child as in the product. It tells megabytes
// and pages a second, and the most memory that a process had resident; the PDF
// has a hundred megabytes, because that is what was promised. It measures no
// crawling and no index.
package ingest
