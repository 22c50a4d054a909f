// Streams without sockets: the test is the peer, the network and the time.
//
//   MemoryOpener opener;
//   link.start(...);                    // opens a stream
//   MemoryStream& peer = opener.last();
//   peer.open();
//   CHECK(peer.take_sent() == "PING");
//   peer.deliver("+PONG\r\n");
#pragma once

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/input_buffer.h"
#include "src/stream/byte_stream.h"

namespace hearth::test {

// The test's side of one stream. It outlives the stream.
class MemoryStream {
 public:
  MemoryStream(const StreamTarget& to, ByteStream::Owner& owner) : target(to), owner_(&owner) {}

  const StreamTarget target;
  // Of the stream: what it was told, and whether its owner still has it.
  std::chrono::milliseconds deadline{0};
  bool reading = true;
  bool closed = false;

  void open() {
    opened_ = true;
    if (!closed) owner_->stream_opened();
  }
  // The bytes come in pieces of `piece`.
  void deliver(std::string_view bytes, std::size_t piece = ~std::size_t{0}) {
    while (!bytes.empty() && !closed) {
      const std::string_view now = bytes.substr(0, piece);
      if (!in_.append(now)) std::abort();
      bytes.remove_prefix(now.size());
      owner_->stream_received();
    }
  }
  void end(ByteStream::End::Reason reason = ByteStream::End::Reason::kPeer) {
    if (closed) return;
    closed = true;
    owner_->stream_ended({reason, "ended by the test"});
  }
  // Nothing moved for as long as the deadline says.
  void be_silent() { end(ByteStream::End::Reason::kTimeout); }
  // All that was written; the peer takes it.
  std::string take_sent() {
    taken_.clear();
    drain();
    return std::move(taken_);
  }

 private:
  friend class MemoryStreamHandle;

  void drain() {
    while (opened_ && !closed && !out_.empty()) {
      taken_ += out_;
      out_.clear();
      owner_->stream_sent();
    }
  }

  ByteStream::Owner* owner_;
  bool opened_ = false;
  InputBuffer in_;
  std::string out_, taken_;
};

class MemoryStreamHandle final : public LinkStream {
 public:
  explicit MemoryStreamHandle(MemoryStream& peer) : peer_(peer) {}
  ~MemoryStreamHandle() override { peer_.closed = true; }

  [[nodiscard]] std::string_view unread() const override { return peer_.in_.unread(); }
  void consume(std::size_t bytes) override { peer_.in_.consume(bytes); }
  void set_reading(bool on) override { peer_.reading = on; }
  void write(std::string_view bytes) override { peer_.out_ += bytes; }
  [[nodiscard]] std::size_t unsent_bytes() const override { return peer_.out_.size(); }
  void set_deadline(std::chrono::milliseconds longest_silence) override {
    peer_.deadline = longest_silence;
  }

 private:
  MemoryStream& peer_;
};

class MemoryOpener final : public StreamOpener {
 public:
  [[nodiscard]] std::unique_ptr<LinkStream> open(const StreamTarget& target,
                                                 ByteStream::Owner& owner) override {
    streams.push_back(std::make_unique<MemoryStream>(target, owner));
    return std::make_unique<MemoryStreamHandle>(*streams.back());
  }
  [[nodiscard]] MemoryStream& last() { return *streams.back(); }

  std::vector<std::unique_ptr<MemoryStream>> streams;  // in the order of opening
};

}  // namespace hearth::test
