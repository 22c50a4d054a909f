// UvStream: a LinkStream over TCP, on a libuv loop. The loop's thread only.
//
// Closing gives the handles back to libuv; what they need goes when the loop has run on, so the
// loop must be run out before it is closed.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <string_view>

#include "src/stream/byte_stream.h"

namespace hearth {

class UvStream final : public LinkStream {
 public:
  // Takes the next connection of a listener; null if that fails.
  [[nodiscard]] static std::unique_ptr<UvStream> accept(uv_stream_t* listener, Owner& owner,
                                                        const StreamTarget& options);
  // See StreamOpener::open.
  [[nodiscard]] static std::unique_ptr<UvStream> connect(uv_loop_t* loop, Owner& owner,
                                                         const StreamTarget& target);
  ~UvStream() override;

  [[nodiscard]] std::string_view unread() const override;
  void consume(std::size_t bytes) override;
  void set_reading(bool on) override;
  void write(std::string_view bytes) override;
  [[nodiscard]] std::size_t unsent_bytes() const override;
  void set_deadline(std::chrono::milliseconds longest_silence) override;
  [[nodiscard]] std::string peer_ip() const override;
  [[nodiscard]] std::string local_ip() const override;

 private:
  class Socket;
  explicit UvStream(Socket* socket);

  Socket* socket_;  // frees itself when this and libuv have let go of it
};

class UvStreamOpener final : public StreamOpener {
 public:
  explicit UvStreamOpener(uv_loop_t* loop) : loop_(loop) {}
  [[nodiscard]] std::unique_ptr<LinkStream> open(const StreamTarget& target,
                                                 ByteStream::Owner& owner) override {
    return UvStream::connect(loop_, owner, target);
  }

 private:
  uv_loop_t* loop_;
};

// "::ffff:10.0.0.1" as "10.0.0.1"; empty if there is no such address.
[[nodiscard]] std::string ip_text(const sockaddr_storage& address);
// Fills in an address from its text; false for text that is none.
bool parse_ip(const std::string& ip, std::uint16_t port, sockaddr_storage& out);

}  // namespace hearth
