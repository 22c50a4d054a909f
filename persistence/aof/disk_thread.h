// DiskThread: the port to a thread for work that waits for the disk.
//
// Pieces of work run one after the other, in the order they were given. What `work` touches belongs
// to it until `done` has been called, on the thread that gave it: from poll() or finish().
#pragma once

#include <functional>

namespace hearth::aof {

class DiskThread {
 public:
  virtual ~DiskThread() = default;

  // Whether the thread that gave the work is woken when it is through: somebody waits for it. Else
  // it is noticed with the next poll().
  enum class Wake : bool { kNo, kYes };
  virtual void run(std::function<void()> work, std::function<void()> done, Wake wake) = 0;
  // Calls `done` for all work that is through.
  virtual void poll() = 0;
  // Waits until there is no work left, that which `done` gives included.
  virtual void finish() = 0;
};

}  // namespace hearth::aof
