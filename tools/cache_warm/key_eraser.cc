#include "tools/cache_warm/key_eraser.h"

#include <fmt/core.h>

#include <string>
#include <utility>

#include "cluster/model/slot.h"
#include "src/base/glob.h"
#include "tools/cache_warm/follow_state.h"
#include "tools/client/command_text.h"

namespace hearth::warm {
namespace {

// Nobody waits for single answers: a refusal is told by the count.
class DeleteCounter final : public client::CompletionSink {
 public:
  std::uint64_t deleted = 0;
  void on_done(std::uint64_t) override { ++deleted; }
  void on_reply(std::uint64_t, RespValue) override {}
  void on_refused(std::uint64_t, std::string_view, std::string_view) override {}
};

// The forms of all keys, and whose they are.
class KeyForms {
 public:
  explicit KeyForms(const std::vector<Mapping>& mappings) {
    for (std::size_t i = 0; i < mappings.size(); ++i) {
      for (const Output& output : mappings[i].outputs)
        forms_.push_back({output.key.glob(), output.key.literal_bytes(), i});
    }
  }
  [[nodiscard]] bool is_of(std::string_view key, std::size_t mapping) const {
    if (key.starts_with(kFollowStatePrefix)) return false;
    std::size_t most = 0;
    bool is_ours = false;
    for (const Form& form : forms_) {
      if (!glob_match(form.glob, key)) continue;
      if (form.literal_bytes > most) is_ours = false;
      if (form.literal_bytes >= most && form.mapping == mapping) is_ours = true;
      most = std::max(most, form.literal_bytes);
    }
    return is_ours;
  }

 private:
  struct Form {
    std::string glob;
    std::size_t literal_bytes = 0;
    std::size_t mapping = 0;
  };
  std::vector<Form> forms_;
};

Result<void> erase_found(client::Client& deleting, const RespValue& keys, const KeyForms& forms,
                         std::size_t mapping) {
  std::string command;
  for (const auto& found : keys.items()) {
    const std::string_view key = found.text();
    if (!forms.is_of(key, mapping)) continue;
    command.clear();
    client::append_command(command, {"DEL", key});
    client::Operation operation;
    operation.bytes = command;
    operation.key = std::string_view(command).substr(command.size() - key.size() - 2, key.size());
    operation.slot = cluster::slot_of(key);
    HEARTH_TRY_VOID(deleting.submit(operation));
  }
  return deleting.drain();
}

}  // namespace

Result<std::uint64_t> erase_mapping_keys(const EraserTarget& target, const Clock& clock,
                                         const std::atomic<bool>& interrupt,
                                         const std::vector<Mapping>& mappings,
                                         std::size_t mapping) {
  const KeyForms forms(mappings);
  DeleteCounter counter;
  client::Client deleting(target.options, clock, counter, &interrupt);
  HEARTH_TRY_VOID(deleting.connect());
  for (const Output& output : mappings[mapping].outputs) {
    const std::string pattern = output.key.glob();
    for (const auto& node : target.nodes) {
      client::DispatcherOptions options = target.options;
      options.seeds = {node};
      options.single = true;
      client::Client scanning(std::move(options), clock, counter, &interrupt);
      HEARTH_TRY_VOID(scanning.connect());
      std::string cursor = "0";
      do {
        HEARTH_TRY(const RespValue reply,
                   scanning.call({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}));
        const auto parts = reply.items();
        if (parts.size() != 2)
          return fail(ErrorCode::kIo, fmt::format("{}: SCAN: {}", node.str(), reply.text()));
        cursor = parts[0].text();
        HEARTH_TRY_VOID(erase_found(deleting, parts[1], forms, mapping));
      } while (cursor != "0");
    }
  }
  return counter.deleted;
}

}  // namespace hearth::warm
