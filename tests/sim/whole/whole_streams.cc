#include "tests/sim/whole/whole_streams.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "tests/sim/whole/whole_node.h"

namespace hearth::sim {

class WholeStreams::Handle final : public LinkStream, private Listener {
 public:
  Handle(WholeStreams& streams, const StreamTarget& target, Owner& owner)
      : streams_(streams), owner_(owner), moved_(now()) {
    streams_.handles_.push_back(this);
    connection_ = streams_.world_.dial(streams_.node_, target.host, target.port, *this);
  }
  ~Handle() override {
    std::erase(streams_.handles_, this);
    streams_.world_.disconnect(connection_);
  }

  [[nodiscard]] std::string_view unread() const override { return in_.unread(); }
  void consume(std::size_t bytes) override { in_.consume(bytes); }
  void set_reading(bool on) override { HEARTH_CHECK(on); }
  void write(std::string_view bytes) override {
    if (!is_open_) {
      unsent_ += bytes;
    } else {
      streams_.world_.send(connection_, std::string(bytes));
    }
  }
  [[nodiscard]] std::size_t unsent_bytes() const override { return unsent_.size(); }
  void set_deadline(std::chrono::milliseconds longest_silence) override {
    deadline_ = longest_silence;
    moved_ = now();
  }

  [[nodiscard]] bool is_too_silent() const {
    return !is_ended_ && deadline_.count() > 0 && now() - moved_ > deadline_;
  }
  void end(End::Reason reason, const char* why) {
    if (std::exchange(is_ended_, true)) return;
    streams_.node_.turn([&] { owner_.stream_ended({reason, why}); });
  }

 private:
  [[nodiscard]] MonoTime now() const { return streams_.world_.mono(streams_.node_); }

  void opened(std::uint64_t) override {
    is_open_ = true;
    moved_ = now();
    if (!unsent_.empty()) streams_.world_.send(connection_, std::exchange(unsent_, {}));
    streams_.node_.turn([&] { owner_.stream_opened(); });
  }
  void received(std::uint64_t, const std::string& bytes) override {
    moved_ = now();
    HEARTH_CHECK(in_.append(bytes));
    streams_.node_.turn([&] { owner_.stream_received(); });
  }
  void closed(std::uint64_t) override { end(End::Reason::kPeer, "the connection broke"); }

  WholeStreams& streams_;
  Owner& owner_;
  MonoTime moved_;
  std::chrono::milliseconds deadline_{0};
  std::uint64_t connection_ = 0;
  bool is_open_ = false;
  bool is_ended_ = false;
  InputBuffer in_;
  std::string unsent_;
};

std::unique_ptr<LinkStream> WholeStreams::open(const StreamTarget& target,
                                               ByteStream::Owner& owner) {
  return std::make_unique<Handle>(*this, target, owner);
}

void WholeStreams::tick() {
  // The end of one may be the end of others.
  const std::vector<Handle*> all = handles_;
  for (Handle* handle : all) {
    if (std::find(handles_.begin(), handles_.end(), handle) == handles_.end()) continue;
    if (handle->is_too_silent()) handle->end(ByteStream::End::Reason::kTimeout, "nothing moves");
  }
}

}  // namespace hearth::sim
