// Streams from one simulated node to the client port of another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/base/input_buffer.h"
#include "src/base/time.h"
#include "src/stream/byte_stream.h"

namespace hearth::sim {

class WholeNode;

// A connection to a node's client port as the world tells of it. Numbers are never used twice.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void opened(std::uint64_t connection) { static_cast<void>(connection); }
  virtual void received(std::uint64_t connection, const std::string& bytes) = 0;
  virtual void closed(std::uint64_t connection) = 0;
};

// The needs of streams of the network.
class StreamWorld {
 public:
  virtual ~StreamWorld() = default;
  virtual MonoTime mono(WholeNode& node) = 0;
  // The listener hears of it later, or never: there may be nobody.
  virtual std::uint64_t dial(WholeNode& from, const std::string& host, std::uint16_t port,
                             Listener& listener) = 0;
  virtual void send(std::uint64_t connection, std::string bytes) = 0;
  virtual void disconnect(std::uint64_t connection) = 0;
};

class WholeStreams final : public StreamOpener {
 public:
  WholeStreams(StreamWorld& world, WholeNode& node) : world_(world), node_(node) {}
  [[nodiscard]] std::unique_ptr<LinkStream> open(const StreamTarget& target,
                                                 ByteStream::Owner& owner) override;
  // Ends streams on which nothing moved for too long.
  void tick();

 private:
  class Handle;

  StreamWorld& world_;
  WholeNode& node_;
  std::vector<Handle*> handles_;
};

}  // namespace hearth::sim
