// ByteStream: a connection to one peer, as bytes in both directions.
//
// Everything above it (requests of clients, the primary's stream, MIGRATE, the cluster bus) sees
// this and no socket: an encrypted connection is one more implementation.
//
// Reading. What came and was not consumed stands in unread(), in one piece; its memory follows the
// bytes that are here (see InputBuffer). The owner hears of new bytes, takes what it understands
// and leaves the rest for later. More than Limits::unread_most unread bytes end the stream.
// Writing. write() copies and never blocks; the rest of it leaves as the peer takes it. More than
// Limits::unsent_most bytes that the peer does not take end the stream.
// Closing. Destroying the stream closes it, and what was not sent is dropped; nothing is called
// afterwards. The owner may do that in any of its callbacks, and no callback comes from inside a
// call of the owner's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hearth {

class ByteStream {
 public:
  struct End {
    enum class Reason : std::uint8_t { kPeer, kTimeout, kLimit };
    Reason reason = Reason::kPeer;  // kPeer: it ended the stream, or the way to it failed
    std::string why;                // for a log
  };
  class Owner {
   public:
    virtual ~Owner() = default;
    // connect() came to its end. Reading has begun.
    virtual void stream_opened() {}
    // There are new bytes in unread().
    virtual void stream_received() = 0;
    // All that was written has left.
    virtual void stream_sent() {}
    // It is closed.
    virtual void stream_ended(const End& end) = 0;
  };

  struct Limits {
    std::size_t unread_most = 0;  // 0: none
    std::size_t unsent_most = 0;
  };

  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  // Valid until the callback in which it was asked for ends, even if the stream is closed in it.
  [[nodiscard]] virtual std::string_view unread() const = 0;
  // The first `bytes` of unread() are done with. Views stay valid.
  virtual void consume(std::size_t bytes) = 0;
  // Off: what arrives waits with the peer.
  virtual void set_reading(bool on) = 0;
  // Written before the stream is open, it leaves then.
  virtual void write(std::string_view bytes) = 0;
  [[nodiscard]] virtual std::size_t unsent_bytes() const = 0;
};

// To or from another server.
//
// Deadline: a stream on which nothing moves for as long as set_deadline() says ends: not yet
// connected, nothing received, nothing taken of what is unsent. (Clients' time-outs are the
// engine's, which knows what each of them waits for.)
class LinkStream : public ByteStream {
 public:
  // 0: none.
  virtual void set_deadline(std::chrono::milliseconds longest_silence) = 0;
  // Addresses without ports; empty where there are none.
  [[nodiscard]] virtual std::string peer_ip() const { return {}; }
  [[nodiscard]] virtual std::string local_ip() const { return {}; }
};

struct StreamTarget {
  std::string host;  // a name or an address; the addresses of a name are tried one after the other
  std::uint16_t port = 0;
  std::string source_ip{};  // address to connect from; empty: the system chooses
  bool no_delay = true;
  unsigned keep_alive_seconds = 0;  // 0: off
  ByteStream::Limits limits{};
};

// Makes streams to other servers.
class StreamOpener {
 public:
  virtual ~StreamOpener() = default;
  // Never null: an attempt that cannot begin ends later, by stream_ended(). The time to connect in
  // counts from now on: set_deadline() bounds it.
  [[nodiscard]] virtual std::unique_ptr<LinkStream> open(const StreamTarget& target,
                                                         ByteStream::Owner& owner) = 0;
};

}  // namespace hearth
