// MigrationLink: carries MIGRATE's keys to other servers, over libuv.
//
// Each job is a connection of its own: resolve, connect, send the preamble (AUTH, SELECT), and when
// that was accepted the commands, in pieces, reading the answers as they come. A job ends with an
// error when nothing moves for its timeout. Engine thread (the loop's) only.
#pragma once

#include <uv.h>

#include <functional>
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
  // Drops all jobs without completing them. Their handles close while the loop runs out; the object
  // must live until then.
  void stop();

 private:
  class Transfer;

  uv_loop_t* loop_;
  std::function<void()> before_done_;
  std::unordered_set<Transfer*> transfers_;
};

}  // namespace hearth
