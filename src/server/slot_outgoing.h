// Outgoing: one move of slots away from here, at work: the machine, its data and its link.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/migration/export.h"
#include "src/command/cluster_control.h"
#include "src/command/slot_migration_control.h"
#include "src/proto/reply_parser.h"
#include "src/server/slot_source.h"
#include "src/stream/byte_stream.h"

namespace hearth {

class Outgoing final : private ByteStream::Owner {
 public:
  struct Parts {
    Engine* engine = nullptr;
    ClusterControl* cluster = nullptr;
    StreamOpener* streams = nullptr;
    const Clock* clock = nullptr;
    std::function<void()> refresh_time;
    std::vector<std::vector<std::string>> credentials;
    std::function<cluster::ViewPtr()> published;
    std::function<void(const cluster::NodeView&, std::vector<std::string>,
                       std::function<void(std::string failure, std::string error)>)>
        ask;
  };
  // record: of this move; it stays where it is.
  Outgoing(Parts parts, const cluster::migration::ExportSettings& settings, SlotMove& record);
  ~Outgoing() override;

  // At the end of a turn, outside of commands.
  void turn();
  void look_at(const cluster::View& view);
  void note(const CommittedUnit& unit) {
    if (!machine_.is_handed_over() && !machine_.is_over()) source_.note(unit);
  }
  // False: it is too late.
  bool cancel();

  [[nodiscard]] const cluster::migration::Export& machine() const { return machine_; }
  [[nodiscard]] SlotMove& record() const { return record_; }
  [[nodiscard]] bool holds() const { return holds_; }
  // Its next turn may not wait for anybody's bytes.
  [[nodiscard]] bool is_busy() const { return machine_.sends() || !inputs_.empty(); }

 private:
  using Input = cluster::migration::ExportInput;

  void stream_opened() override;
  void stream_received() override;
  void stream_ended(const ByteStream::End& end) override;

  void step(const Input& input);
  void run(cluster::migration::ExportAction action);
  void connect();
  void establish();
  void reserve();
  void commit();
  void ask();
  void fence();
  struct Sent {
    std::size_t bytes = 0;  // of the stream
    bool is_commit = false;
  };
  void send(std::string_view what, std::string_view word, Sent sent);
  void send_data();
  void read_answers();
  void update_record();

  Parts parts_;
  SlotMove& record_;
  cluster::migration::Export machine_;
  SlotSource source_;
  std::unique_ptr<LinkStream> stream_;  // null: none
  ReplyParser parser_;
  std::string out_;             // its memory is kept
  std::size_t greetings_ = 0;   // answers that the machine does not hear of
  std::deque<Sent> under_way_;  // what was not answered
  std::size_t under_way_bytes_ = 0;
  bool commit_sent_ = false;  // and not answered
  MonoTime last_sent_{};
  bool holds_ = false;
  std::deque<Input> inputs_;  // from callbacks, for the next turn
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth
