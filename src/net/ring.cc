#include "src/net/ring.h"

#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/base/system_text.h"

namespace hearth::net {
namespace {

constexpr unsigned kSubmissions = 1024;
constexpr unsigned kCompletions = 4096;  // more than there are buffers and sends of a turn
constexpr unsigned kBuffers = 128;       // a power of two
constexpr int kBufferGroup = 0;

constexpr unsigned kPatienceMost = 32;  // inputs
// Turns, at the most, after which one more is waited for.
constexpr unsigned kProbeAfterMost = 1024;
// Bit and field came with Linux 6.12, after the headers of liburing 2.3.
constexpr unsigned kFeatureMinTimeout = 1U << 15;
struct WaitArguments {
  std::uint64_t signal_mask;
  std::uint32_t signal_mask_bytes;
  std::uint32_t least_wait_us;
  std::uint64_t time_limit;
};
static_assert(sizeof(WaitArguments) == sizeof(io_uring_getevents_arg));
static_assert(offsetof(WaitArguments, time_limit) == offsetof(io_uring_getevents_arg, ts));

// The operation of a completion, in the low bits of user_data; the rest is the socket's address.
enum Operation : std::uint64_t { kReceive, kSend, kWritable, kWatch, kCancel, kOperationMask = 7 };

std::uint64_t tag(const RingSocket& socket, Operation operation) {
  return reinterpret_cast<std::uint64_t>(&socket) | operation;
}

struct Message {
  msghdr header;
  std::array<iovec, Ring::kPiecesMost> pieces;
};

}  // namespace

struct Ring::Kernel {
  io_uring ring{};
  bool opened = false;
  unsigned enter_flags = 0;
  io_uring_buf_ring* free_buffers = nullptr;
  char* buffers = nullptr;
  std::size_t mapped = 0;
  void* map = nullptr;
  // Headers of sends that are not submitted yet.
  std::vector<std::unique_ptr<Message>> messages;
  std::size_t messages_used = 0;
  // Completions of other sockets that settle() and finish_sends() put aside.
  std::deque<Completion> kept;

  ~Kernel() {
    if (opened) io_uring_queue_exit(&ring);
    if (map != nullptr) munmap(map, mapped);
  }

  io_uring_sqe& entry(Ring& owner) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    while (sqe == nullptr) {
      owner.enter(0);
      sqe = io_uring_get_sqe(&ring);
    }
    return *sqe;
  }

  // Makes the entries visible to the kernel; returns how many it has not taken.
  unsigned publish() {
    io_uring_sq& sq = ring.sq;
    if (sq.sqe_head != sq.sqe_tail) {
      sq.sqe_head = sq.sqe_tail;
      io_uring_smp_store_release(sq.ktail, sq.sqe_tail);
    }
    return sq.sqe_tail - io_uring_smp_load_acquire(sq.khead);
  }
};

std::unique_ptr<Ring> Ring::open(std::string& why) {
  auto kernel = std::make_unique<Kernel>();
  const auto refused = [&](const char* what, int error) {
    why = std::string(what) + ": " + system_text(-error);
    return nullptr;
  };
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = kCompletions;
  if (const int rc = io_uring_queue_init_params(kSubmissions, &kernel->ring, &params); rc < 0)
    return refused("io_uring_setup", rc);
  kernel->opened = true;
  if (io_uring_register_ring_fd(&kernel->ring) == 1)
    kernel->enter_flags = IORING_ENTER_REGISTERED_RING;

  const std::size_t head = kBuffers * sizeof(io_uring_buf);
  kernel->mapped = head + kBuffers * kBufferBytes;
  kernel->map =
      mmap(nullptr, kernel->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (kernel->map == MAP_FAILED) {
    kernel->map = nullptr;
    return refused("mmap", -errno);
  }
  // Forked children do not need these buffers.
  madvise(kernel->map, kernel->mapped, MADV_DONTFORK);
  kernel->free_buffers = static_cast<io_uring_buf_ring*>(kernel->map);
  kernel->buffers = static_cast<char*>(kernel->map) + head;
  io_uring_buf_reg shared{};
  shared.ring_addr = reinterpret_cast<std::uint64_t>(kernel->free_buffers);
  shared.ring_entries = kBuffers;
  shared.bgid = kBufferGroup;
  if (const int rc = io_uring_register_buf_ring(&kernel->ring, &shared, 0); rc < 0)
    return refused("io_uring_register", rc);
  io_uring_buf_ring_init(kernel->free_buffers);

  std::unique_ptr<Ring> ring(new Ring(std::move(kernel)));
  for (unsigned i = 0; i < kBuffers; ++i) ring->give_back(i);
  return ring;
}

Ring::Ring(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}
Ring::~Ring() = default;

void Ring::give_back(unsigned buffer) {
  io_uring_buf_ring_add(kernel_->free_buffers, kernel_->buffers + buffer * kBufferBytes,
                        kBufferBytes, static_cast<unsigned short>(buffer),
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(kernel_->free_buffers, 1);
}

// --- what is asked for ---

void Ring::begin(RingSocket& socket) {
  if (socket.operations_++ == 0) ++busy_sockets_;
}

void Ring::end(RingSocket& socket) {
  if (--socket.operations_ > 0) return;
  --busy_sockets_;
  if (socket.forgotten_) socket.on_idle();
}

void Ring::receive(RingSocket& socket) {
  socket.wanted_ = true;
  if (socket.receiving_) return;  // one that is being stopped is started again when it has ended
  io_uring_sqe& sqe = kernel_->entry(*this);
  io_uring_prep_recv_multishot(&sqe, socket.fd_, nullptr, 0, 0);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = kBufferGroup;
  sqe.user_data = tag(socket, kReceive);
  socket.receiving_ = true;
  begin(socket);
}

void Ring::stop_receiving(RingSocket& socket) {
  socket.wanted_ = false;
  if (socket.receiving_) cancel(tag(socket, kReceive));
}

void Ring::cancel(std::uint64_t user_data) {
  io_uring_sqe& sqe = kernel_->entry(*this);
  io_uring_prep_cancel64(&sqe, user_data, 0);
  sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe.user_data = kCancel;
}

void Ring::send(RingSocket& socket, std::span<const iovec> pieces) {
  HEARTH_DCHECK(!socket.sending_ && !pieces.empty() && pieces.size() <= kPiecesMost);
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  io_uring_sqe& sqe = kernel_->entry(*this);
  if (pieces.size() == 1) {
    io_uring_prep_send(&sqe, socket.fd_, pieces[0].iov_base, pieces[0].iov_len, kFlags);
  } else {
    if (kernel_->messages_used == kernel_->messages.size())
      kernel_->messages.push_back(std::make_unique<Message>());
    Message& message = *kernel_->messages[kernel_->messages_used++];
    std::memcpy(message.pieces.data(), pieces.data(), pieces.size_bytes());
    message.header = {};
    message.header.msg_iov = message.pieces.data();
    message.header.msg_iovlen = pieces.size();
    io_uring_prep_sendmsg(&sqe, socket.fd_, &message.header, kFlags);
  }
  sqe.user_data = tag(socket, kSend);
  socket.sending_ = true;
  ++sends_;
  begin(socket);
}

void Ring::wait_writable(RingSocket& socket) {
  if (socket.waits_writable_) return;
  io_uring_sqe& sqe = kernel_->entry(*this);
  io_uring_prep_poll_add(&sqe, socket.fd_, POLLOUT);
  sqe.user_data = tag(socket, kWritable);
  socket.waits_writable_ = true;
  begin(socket);
}

void Ring::forget(RingSocket& socket) {
  socket.forgotten_ = true;
  socket.wanted_ = false;
  if (socket.operations_ == 0) return socket.on_idle();
  if (socket.receiving_) cancel(tag(socket, kReceive));
  if (socket.waits_writable_) cancel(tag(socket, kWritable));
}

void Ring::watch(int fd) {
  if (watching_) return;
  io_uring_sqe& sqe = kernel_->entry(*this);
  io_uring_prep_poll_add(&sqe, fd, POLLIN);
  sqe.user_data = kWatch;
  watching_ = true;
}

// --- the kernel ---

void Ring::enter(unsigned completions, std::chrono::milliseconds limit, bool patient) {
  const unsigned entries = kernel_->publish();
  __kernel_timespec time_limit{};
  WaitArguments arguments{0, _NSIG / 8, patient ? static_cast<std::uint32_t>(longest_.count()) : 0,
                          0};
  if (completions > 0 && limit.count() >= 0) {
    time_limit.tv_sec = limit.count() / 1000;
    time_limit.tv_nsec = limit.count() % 1000 * 1'000'000;
    arguments.time_limit = reinterpret_cast<std::uint64_t>(&time_limit);
  }
  // Errors are a signal, the time limit or a full completion queue: the next turn tries again.
  static_cast<void>(
      io_uring_enter2(static_cast<unsigned>(kernel_->ring.enter_ring_fd), entries, completions,
                      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | kernel_->enter_flags,
                      reinterpret_cast<sigset_t*>(&arguments), sizeof arguments));
  if (kernel_->publish() == 0) kernel_->messages_used = 0;
}

void Ring::submit() {
  if (kernel_->publish() > 0) enter(0);
}

void Ring::finish_sends() {
  submit();
  Completion completion{};
  while (next(completion)) {
    if ((completion.user_data & kOperationMask) == kSend)
      handle(completion);
    else
      kernel_->kept.push_back(completion);
  }
}

// Expects as many inputs as came in the turn before, and now and then one more; each time that one
// does not come, the next attempt is later.
void Ring::adapt() {
  if (inputs_ < patience_) {
    patience_ = std::max(1U, inputs_);
    probe_after_ = std::min(probe_after_ * 2, kProbeAfterMost);
    turns_ = 0;
  } else if (inputs_ > patience_) {
    patience_ = std::min(inputs_, kPatienceMost);
    probe_after_ = 1;
    turns_ = 0;
  } else if (++turns_ >= probe_after_) {
    patience_ = std::min(patience_ + 1, kPatienceMost);
    turns_ = 0;
  }
  inputs_ = 0;
}

void Ring::wait(std::chrono::milliseconds limit) {
  adapt();
  if (limit.count() == 0 || !kernel_->kept.empty()) return enter(0);
  const bool patient =
      longest_.count() > 0 && patience_ > 1 && (kernel_->ring.features & kFeatureMinTimeout) != 0;
  // Sends complete while they are submitted, so wait for one completion more than there are sends.
  enter(sends_ + (patient ? patience_ : 1), limit, patient);
}

bool Ring::next(Completion& completion) {
  io_uring_cqe* cqe = nullptr;
  unsigned head = 0;
  unsigned found = 0;
  io_uring_for_each_cqe(&kernel_->ring, head, cqe) {
    completion = {cqe->user_data, cqe->res, cqe->flags};
    found = 1;
    break;
  }
  if (found == 0) return false;
  io_uring_cq_advance(&kernel_->ring, 1);
  return true;
}

void Ring::dispatch() {
  Completion completion{};
  while (!kernel_->kept.empty()) {
    completion = kernel_->kept.front();
    kernel_->kept.pop_front();
    handle(completion);
  }
  // At most one queue full: completions that arrive meanwhile belong to the next turn.
  for (unsigned most = kCompletions; most > 0 && next(completion); --most) handle(completion);
}

void Ring::settle(RingSocket& socket) {
  Completion completion{};
  while (socket.receiving_ || socket.sending_) {
    enter(1);
    while (next(completion)) {
      const bool of_it = (completion.user_data & ~kOperationMask) == tag(socket, kReceive);
      if (of_it)
        handle(completion);
      else
        kernel_->kept.push_back(completion);
    }
  }
}

void Ring::handle(const Completion& completion) {
  auto* socket = reinterpret_cast<RingSocket*>(completion.user_data & ~kOperationMask);
  switch (static_cast<Operation>(completion.user_data & kOperationMask)) {
    case kReceive: return handle_received(*socket, completion);
    case kSend:
      --sends_;
      socket->sending_ = false;
      if (!socket->forgotten_) socket->on_sent(completion.result);
      return end(*socket);
    case kWritable:
      socket->waits_writable_ = false;
      if (!socket->forgotten_) socket->on_writable();
      return end(*socket);
    case kWatch:
      watching_ = false;
      readable_ = true;
      return;
    default: return;  // a cancellation that found nothing
  }
}

void Ring::handle_received(RingSocket& socket, const Completion& completion) {
  const bool goes_on = (completion.flags & IORING_CQE_F_MORE) != 0;
  if (!goes_on) socket.receiving_ = false;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const unsigned buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    const auto bytes = static_cast<std::size_t>(std::max(0, completion.result));
    if (bytes == 0 || socket.forgotten_) {
      give_back(buffer);
    } else {
      ++inputs_;
      socket.on_input({kernel_->buffers + buffer * kBufferBytes, bytes}, buffer,
                      bytes == kBufferBytes);
    }
  }
  if (goes_on) return;
  const int result = completion.result;
  // The multishot receive ended: it was cancelled, no buffer was free, or the kernel chose to end
  // it.
  const bool may_go_on = result > 0 || result == -ECANCELED || result == -ENOBUFS ||
                         result == -EINTR || result == -EAGAIN;
  if (!socket.forgotten_ && socket.wanted_) {
    if (may_go_on) {
      receive(socket);
    } else {
      socket.wanted_ = false;
      socket.on_input_end(result);
    }
  }
  end(socket);
}

bool Ring::take_readable() { return std::exchange(readable_, false); }

}  // namespace hearth::net
