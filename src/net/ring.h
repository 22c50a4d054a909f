// Ring: the sockets of clients on io_uring.
//
// One system call submits all sends of a loop turn and waits for the next input; epoll needs one
// call to learn that a socket is readable, one to read and one to write. A socket is received from
// until it is told to stop ("multishot"), into buffers that the sockets share; sends complete while
// they are submitted, or tell at once that the socket is full.
//
// Patience (off unless set_patience() is called): a server that is faster than its clients wakes up
// for every request, and sleeping and waking up cost more than the request. With patience, wait()
// lets as many inputs come as the turn before had, for a limited time; that saves CPU time and
// costs latency. A single client never waits. Needs Linux 6.12.
//
// Needs Linux 6.1. Where the kernel is older or does not allow it (containers often forbid
// io_uring), open() says so and the caller uses something else. One thread, the one that opened it.
// Source: io_uring(7), io_uring_enter(2).
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hearth::net {

// The operations of the kernel for one socket. The object must live until on_idle() after forget().
class RingSocket {
 public:
  RingSocket() = default;
  RingSocket(const RingSocket&) = delete;
  RingSocket& operator=(const RingSocket&) = delete;
  virtual ~RingSocket() = default;

 private:
  friend class Ring;
  // `bytes` stand in shared buffer `buffer`, which the callee gives back when it is through with
  // them. `more`: the buffer was filled, so that more is likely to follow.
  virtual void on_input(std::string_view bytes, unsigned buffer, bool more) = 0;
  // The other side sends no more (0) or the socket failed (-errno). Nothing is received any more.
  virtual void on_input_end(int error) = 0;
  // Bytes that the socket took of what was sent last, or -errno; -EAGAIN when it took none.
  virtual void on_sent(int result) = 0;
  virtual void on_writable() = 0;
  // After forget(): the kernel is through with it.
  virtual void on_idle() = 0;

  int fd_ = -1;
  unsigned operations_ = 0;  // that the kernel has not ended
  bool receiving_ = false;   // an operation receives...
  bool wanted_ = false;      // ...and shall
  bool waits_writable_ = false;
  bool sending_ = false;
  bool forgotten_ = false;
};

class Ring {
 public:
  // Null where this kernel has none for us; `why` says it then.
  static std::unique_ptr<Ring> open(std::string& why);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  static constexpr std::size_t kBufferBytes = 16 * 1024;
  static constexpr std::size_t kPiecesMost = 64;

  // For how long waits may let several inputs come; 0: they end with the first.
  void set_patience(std::chrono::microseconds longest) { longest_ = longest; }

  void attach(RingSocket& socket, int fd) { socket.fd_ = fd; }
  // Bytes that were under way when receiving stops still arrive.
  void receive(RingSocket& socket);
  void stop_receiving(RingSocket& socket);
  [[nodiscard]] bool is_receiving(const RingSocket& socket) const { return socket.receiving_; }
  // At most kPiecesMost pieces, which stay where they are until on_sent; one send at a time.
  void send(RingSocket& socket, std::span<const iovec> pieces);
  [[nodiscard]] bool is_sending(const RingSocket& socket) const { return socket.sending_; }
  // Calls on_writable once.
  void wait_writable(RingSocket& socket);
  // Ends all operations. Nothing is called from now on but on_idle, which may be at once.
  void forget(RingSocket& socket);
  // A buffer that on_input got.
  void give_back(unsigned buffer);

  // Waits for `fd` to be readable, beside the sockets; take_readable() says that it is, once.
  void watch(int fd);
  [[nodiscard]] bool take_readable();

  // Submits what was asked for and waits until there is something to dispatch; `limit` < 0: for
  // ever, 0: not at all.
  void wait(std::chrono::milliseconds limit);
  // Only submits.
  void submit();
  // Submits and calls back for what was sent; the rest is kept for dispatch().
  void finish_sends();
  // Calls back for what has completed. May be called inside of a callback.
  void dispatch();
  // Waits until `socket` neither receives nor sends, and calls back for it alone; what others did
  // is kept for dispatch(). It must have been told to stop receiving.
  void settle(RingSocket& socket);
  // Sockets for which operations are under way.
  [[nodiscard]] bool is_busy() const { return busy_sockets_ > 0; }

 private:
  struct Kernel;  // liburing's structures
  struct Completion {
    std::uint64_t user_data;
    std::int32_t result;
    std::uint32_t flags;
  };
  explicit Ring(std::unique_ptr<Kernel> kernel);
  // Waits for so many completions, those not yet handled included. `patient`: or for fewer, once
  // the patience is over.
  void enter(unsigned completions, std::chrono::milliseconds limit = std::chrono::milliseconds(-1),
             bool patient = false);
  void adapt();
  bool next(Completion& completion);
  void handle(const Completion& completion);
  void begin(RingSocket& socket);
  void end(RingSocket& socket);
  void cancel(std::uint64_t user_data);
  void handle_received(RingSocket& socket, const Completion& completion);

  std::unique_ptr<Kernel> kernel_;
  unsigned sends_ = 0;                    // not yet told of; they end while they are submitted
  unsigned inputs_ = 0;                   // since the last wait
  std::chrono::microseconds longest_{0};  // that patience may last; 0: none
  unsigned patience_ = 1;                 // inputs that a wait waits for
  unsigned probe_after_ = 1;              // turns after which it waits for one more
  unsigned turns_ = 0;                    // since patience_ changed
  std::size_t busy_sockets_ = 0;
  bool watching_ = false;
  bool readable_ = false;
};

}  // namespace hearth::net
