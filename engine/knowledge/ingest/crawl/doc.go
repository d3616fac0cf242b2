// Package crawl walks through one public web site and gives the text of its
// pages, and of the files they link to. It behaves as a guest: robots.txt
// (RFC 9309), crawl-delay, noindex and nofollow are obeyed, one request is under
// way at a time, and what looks like an endless row of pages is left.
//
// It refuses to dial, to log in, to run scripts and to leave the site. The
// client it is given is the guard that decides which addresses may be reached;
// an address that the guard refuses is one page's misfortune. Pages are read by
// Options.Read, which is ingest.Parse in a limited child.
//
// colly was weighed and left: it would own the loop, while here each redirect
// has to be judged before it is followed, and each page has to end in a status.
package crawl
