#include "tools/warm_source/no_changes.h"

#include <poll.h>

#include "tools/warm_source/source_url.h"

namespace hearth::warm {
namespace {

class NoChanges final : public ChangeStream {
 public:
  explicit NoChanges(const FollowOptions& options)
      : identity_(without_password(options.source.url)) {}
  Result<std::vector<std::string>> missing() override { return std::vector<std::string>{}; }
  [[nodiscard]] const TableShape& shape(std::size_t) const override { return shape_; }
  Result<FollowStart> begin_anew() override { return FollowStart{}; }
  Result<void> check(LogPosition) override { return {}; }
  Result<void> start(LogPosition) override { return {}; }
  Result<const Change*> next(milliseconds wait) override {
    ::poll(nullptr, 0, static_cast<int>(wait.count()));
    return nullptr;
  }
  Result<void> confirm(LogPosition) override { return {}; }
  Result<bool> is_visible(std::uint64_t) override { return true; }
  [[nodiscard]] std::uint64_t lag_bytes(LogPosition) const override { return 0; }
  Result<void> drop() override { return {}; }
  [[nodiscard]] std::string position_text(LogPosition) const override { return "polling"; }
  [[nodiscard]] Result<LogPosition> parse_position(const std::string&) const override {
    return LogPosition{};
  }
  Result<std::string> identity() override { return identity_; }

 private:
  std::string identity_;
  TableShape shape_;
};

}  // namespace

std::unique_ptr<ChangeStream> make_no_changes(const FollowOptions& options) {
  return std::make_unique<NoChanges>(options);
}

}  // namespace hearth::warm
