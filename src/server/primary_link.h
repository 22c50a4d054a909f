// PrimaryLink: the connection of a replica to its primary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "src/stream/byte_stream.h"

namespace hearth {

class PrimaryLink {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // None is called from inside a call of the link.
    virtual void link_connected() = 0;
    virtual void link_received(std::string_view bytes) = 0;
    virtual void link_lost(std::string_view why) = 0;  // the link is closed already
  };
  virtual ~PrimaryLink() = default;
  struct Target {
    std::string host;  // a name or an address
    std::uint16_t port = 0;
    std::string source;  // address to connect from, "" for any
    bool no_delay = true;
  };
  // Closes what was open.
  virtual void connect(const Target& target) = 0;
  virtual void send(std::string_view bytes) = 0;
  // Bytes that arrive wait in the kernel.
  virtual void set_reading(bool on) = 0;
  virtual void close() = 0;
};

// Over a ByteStream. What it waits for, and for how long, its listener knows: it sets no deadline.
class StreamPrimaryLink final : public PrimaryLink, private ByteStream::Owner {
 public:
  StreamPrimaryLink(StreamOpener& opener, Listener& listener)
      : opener_(opener), listener_(listener) {}

  void connect(const Target& target) override;
  void send(std::string_view bytes) override;
  void set_reading(bool on) override;
  void close() override;

 private:
  void stream_opened() override;
  void stream_received() override;
  void stream_ended(const ByteStream::End& end) override;

  StreamOpener& opener_;
  Listener& listener_;
  std::unique_ptr<ByteStream> stream_;
  bool connected_ = false;
};

}  // namespace hearth
