// ClientStream: the ByteStream of a client, which shares buffers with those of the other clients.
//
// unread() may stand in a buffer that the clients share: it stays there until consume(), which the
// owner must call before the loop turn ends, if not in stream_received(). If more comes before
// that, stream_moves() tells the owner that its views are about to become invalid.
// The output is the owner's: what stands in it leaves after flush().
//
// SocketStream is the one over a socket, through the ring where there is one, else through libuv.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <string_view>

#include "src/base/input_buffer.h"
#include "src/base/out_buffer.h"
#include "src/net/gathering.h"
#include "src/net/ring.h"
#include "src/stream/byte_stream.h"

namespace hearth::net {

class ClientStream : public ByteStream {
 public:
  class Owner : public ByteStream::Owner {
   public:
    // In place of stream_received(). `more`: the owner must not wait with these bytes, since more
    // is likely to follow at once or their place is needed.
    virtual void client_sent(std::size_t bytes, bool more) = 0;
    // Views of unread() that were kept since client_sent() become invalid.
    virtual void stream_moves() = 0;
    // The peer sends no more: it said so (error 0), or the connection failed. Reading has stopped;
    // started again, it meets the end again.
    virtual void input_ended(int error) = 0;
    // So many bytes of the output have left.
    virtual void stream_took(std::size_t bytes) = 0;
    // A write ended, or the socket has room again: flush() is worth calling.
    virtual void stream_writable() = 0;
    // After close(): nothing refers to the stream any more.
    virtual void stream_gone() = 0;

   private:
    void stream_received() final {}
  };

  // Unread bytes at which the request that is arriving will be whole, 0 if unknown.
  virtual void expect(std::size_t bytes) = 0;
  // Memory of the own input buffer.
  [[nodiscard]] virtual std::size_t input_capacity() const = 0;
  virtual void trim_input(std::size_t keep) = 0;

  // May call stream_took() and stream_ended().
  virtual void flush() = 0;
  // From now on writes do not wait for the peer; false if one waits already.
  [[nodiscard]] virtual bool stop_waiting() = 0;

  // Between the two nothing is called and unread() stays where it is; see Connection::hold.
  virtual void hold() = 0;
  // True: a write ended meanwhile, and finish_held_write() is to be called when it may tell of it.
  [[nodiscard]] virtual bool release() = 0;
  virtual void finish_held_write() = 0;
  // Blocks: writes the output and `out`, then waits for input. False: the peer is gone, or a signal
  // came.
  [[nodiscard]] virtual bool exchange_blocking(std::string_view out, std::string& in) = 0;

  // A line for a client that is not admitted, as far as it takes it.
  virtual void write_last(std::string_view line) = 0;
  // Nothing is called any more but stream_gone(), which is never from inside of this. Returns how
  // many bytes of the output are being written: it was moved from then, and lives until they are.
  virtual std::size_t close() = 0;
};

class SocketStream final : public ClientStream, private RingSocket {
 public:
  enum class Kind : std::uint8_t { kTcp, kUnix };
  // ring: null where libuv reads and writes.
  SocketStream(uv_loop_t* loop, Ring* ring, Gathering& gathering, Owner& owner, Kind kind);

  [[nodiscard]] uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }
  [[nodiscard]] uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&handle_); }
  // When it was accepted.
  void start(OutBuffer& output);

  // --- ByteStream ---
  [[nodiscard]] std::string_view unread() const override;
  void consume(std::size_t bytes) override;
  void set_reading(bool on) override;
  void write(std::string_view bytes) override;
  [[nodiscard]] std::size_t unsent_bytes() const override { return output_->size(); }

  // --- ClientStream ---
  void expect(std::size_t bytes) override { expected_ = bytes; }
  [[nodiscard]] std::size_t input_capacity() const override { return input_.capacity(); }
  void trim_input(std::size_t keep) override { input_.trim(keep); }
  void flush() override;
  [[nodiscard]] bool stop_waiting() override;
  void hold() override;
  [[nodiscard]] bool release() override;
  void finish_held_write() override;
  [[nodiscard]] bool exchange_blocking(std::string_view out, std::string& in) override;
  void write_last(std::string_view line) override;
  std::size_t close() override;

 private:
  // Where unread() stands.
  enum class Place : std::uint8_t {
    kOwn,     // in input_
    kShared,  // in Gathering::input
    kRing,    // in a buffer of the ring, to be given back
  };

  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buf);
  static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf);
  static void on_written(uv_write_t* request, int status);
  // --- RingSocket ---
  void on_input(std::string_view bytes, unsigned buffer, bool more) override;
  void on_input_end(int error) override;
  void on_sent(int result) override;
  void on_writable() override;
  void on_idle() override;

  // The views that the owner kept are over, and what is unread stands in input_.
  void move_unread();
  void append_input(std::string_view bytes);
  void tell_input(std::size_t bytes, bool more);
  void queue_write();
  void send_through_ring();
  void end_write(std::int64_t result);
  // Bytes written of those in flight, or an error (negative).
  void finish_write(std::int64_t result);
  void end(int error);
  void settle();

  Ring* ring_;
  Gathering& gathering_;
  Owner& owner_;
  Kind kind_;
  union {
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_{};
  uv_write_t write_{};
  OutBuffer* output_ = nullptr;  // null before start()
  InputBuffer input_;
  std::string_view elsewhere_;  // unread() where it is not in input_
  Place place_ = Place::kOwn;
  unsigned ring_buffer_ = 0;
  std::size_t expected_ = 0;
  bool lent_ = false;          // the owner was told of input and has not consumed
  std::size_t in_flight_ = 0;  // bytes of the output that are being written
  OutBuffer last_output_;      // after close(): what is being written
  std::string late_;           // what the ring had received when the stream was held
  bool reading_ = false;
  bool closing_ = false;
  bool held_ = false;
  bool full_ = false;                // the socket took less than it was given; on_writable ends it
  bool waits_ = true;                // for a peer that does not take the output
  bool written_while_held_ = false;  // a write ended, with this result
  std::int64_t write_result_ = 0;
};

}  // namespace hearth::net
