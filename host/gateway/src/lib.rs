//! The listener: sockets, HTTP and the page.
