// MigrationLink: carries MIGRATE's keys to other servers, over libuv.
//
// A job runs on a channel: resolve, connect, send the preamble (AUTH, SELECT), and when that was
// accepted the commands, in pieces, reading the answers as they come. A job ends with an error when
// nothing moves for its timeout. A channel whose job came to its end is kept for ten seconds, at
// most 64 of them, for the next job to the same address with the same preamble: moving a slot is
// many small jobs. The thread of the loop only.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "src/command/services.h"

namespace hearth {

class MigrationLink final : public MigrationControl {
 public:
  // before_done runs before a job's completion, which changes data: it brings the engine's time up
  // to date. Nothing is opened before start().
  MigrationLink(uv_loop_t* loop, std::function<void()> before_done);
  ~MigrationLink() override;
  MigrationLink(const MigrationLink&) = delete;
  MigrationLink& operator=(const MigrationLink&) = delete;

  void start(Job job, std::function<void(JobResult)> done) override;
  [[nodiscard]] std::uint64_t cached_connections() const override;
  // Drops all jobs without completing them. Their handles close while the loop runs out; the object
  // must live until then.
  void stop();

 private:
  struct Work;
  class Channel;

  void start_on_new_channel(std::unique_ptr<Work> work);

  uv_loop_t* loop_;
  std::function<void()> before_done_;
  std::unordered_set<Channel*> channels_;
};

}  // namespace hearth
