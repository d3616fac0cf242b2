// Package duplextest holds what every connector of package realtime must do, and
// local servers that speak the vendors' protocols as their pages describe them
// (named in the connectors' doc.go): they refuse unknown fields, headers and
// orders, keep the conversation as the vendor would, and make trouble on demand,
// at a place that a seed chooses. They understand nothing: what was said and what
// is answered is given to them. No vendor is asked and nothing is recorded.
package duplextest
