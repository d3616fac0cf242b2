// Package video gives the words of public YouTube videos: their captions, or
// what a recogniser makes of their sound when there are none, and the list of a
// channel's videos. It reads the pages that a browser is given; there is no key
// and no login.
//
// It refuses what is private, limited by age or region, live, or longer than
// Options.MaxLength, each with its reason. It dials through the client it is
// given. It does not decode sound: Options.Transcribe is given the file as it
// comes (WebM with Opus, or MP4 with AAC).
//
// What the pages hold, as they are known to be in 2026; never compared with the real site by a test: ytInitialPlayerResponse on
// /watch (playabilityStatus, videoDetails, captions, streamingData),
// /api/timedtext with fmt=json3 (events of segs), ytInitialData on a channel's
// /videos, and /feeds/videos.xml (Atom). None of it is documented by its owner;
// it may change, and then reading fails with a message that says which page
// was not understood. Nothing of it is a stable interface.
package video
