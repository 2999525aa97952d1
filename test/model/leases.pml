/*
 * Grants and leases of one task among three nodes: a model of what node/src/core does with them (SPEC R40 to R43, R50
 * to R53, R57, R114, R145, R146), checked exhaustively by spin (`npm run model`).
 *
 * Two phases. While there are FAULTS any message may be lost or late, any lease may end, nodes crash and come back,
 * and anybody may stand, follow and yield. Then the farm is HEALED: all follow one coordinator, which is what
 * succession.pml shows, nothing is lost any more, and time passes in rounds of a beacon each. What is asked:
 *   - no_task_stuck: ROUNDS rounds after the last fault the task has a result, which all that are up know, if at
 *     least one of them may work. Since the rounds are counted, this excludes grants that go round in circles.
 *   - ended_task_is_not_granted: who ever knew a result of the task does not grant it, not after a crash either.
 *   - one_lease: no coordinator counts on two attempts at the task.
 *   - no_grant_of_an_older_epoch: no worker begins a grant of an epoch below the one that it follows. (A crash
 *     forgets which that was, and all that it held.)
 *   - done_is_held_twice (with -DCOPIES): a result is done nowhere before two machines hold its files.
 *   - second_copy_has_a_cause (with -DCALM): where the coordinator goes or hands over and nothing is lost, its
 *     successor grants no task that somebody runs, however late the answers to its collection come.
 *   - newer_grant_ends_nothing: a coordinator tells nobody to stop what it runs for a grant of the same task that it gave
 *     that machine since, and of which it has not heard that it came to run there.
 *   - given_back_once: healed, in one round each machine gives back at most one grant because it has the task by an
 *     older one. Rounds do not count what goes in circles within one.
 *   - attempts_suffice: healed, the model never lacks a name for an attempt, which would hide the others.
 *
 * What is left out, and why that hides no violation of these, or where it might:
 *   - Connections, partitions and reachability before the farm heals: as in succession.pml the loss of messages
 *     contains them. A grant to a machine that is gone is lost. Healed, that a machine is gone shows at once or in
 *     time.
 *   - Lengths of time, as there. The collection's 100 ms: a new coordinator may grant at once, before any answer.
 *   - Beacons and rows on their way: they arrive when they are said, or never. Each stream keeps its order, so that
 *     a late one is an earlier moment at both its ends; a record that came first by another way frees at most a
 *     lease that the late beacon names once more, and the two after it end that one. Rows come singly, so that any
 *     may be missing.
 *   - Pulses of a reign that has ended: who hears one late follows somebody gone, as after a crash.
 *   - Verdicts: a failure, or a loss, only frees the task. A task that is granted without end is stuck here, while
 *     in the farm three failures end it. Healed, a machine that may work succeeds, and ends what it began within two
 *     rounds.
 *   - Jobs, plans and levels: the job and its plan are known to all (no early grants), and nobody asks for a redo.
 *     Pausing, draining, withdrawing and canceling take back a lease (takeBackFrom); healed, all machines may work,
 *     or one.
 *   - Results held by nobody within reach (R59) and removals of machines: all holders come back.
 *   - Other tasks. A machine's place is modelled, since leases taken back fill it; not who is served first.
 *   - More than TERMS terms, and more than GRANTS attempts at once of which some table or worker knows, before the
 *     farm heals. This is a bound of the search, no abstraction; attempts that no one knows any more don't count. With
 *     -DONE_CHANGE and two terms nobody rises after the first that did: two never stand for the same term.
 *
 * Each step names what it mirrors as `file: function`; test/model/models.test.ts holds that these exist.
 */

#ifndef TERMS
#define TERMS 2
#endif
/* Attempts that matter at one time while there are faults, and then. */
#ifndef GRANTS
#define GRANTS 2
#endif
/* Of copies each result keeps its name, also that of an attempt that was told to stop. */
#ifdef COPIES
#define ATTEMPTS (GRANTS + 3)
#else
#define ATTEMPTS (GRANTS + 2)
#endif
#ifndef ROUNDS
#define ROUNDS 9
#endif
/* Without failures the search is shorter: attempts end with results, stops and silence. */
#ifdef NO_FAILURES
#define MAY_FAIL false
#else
#define MAY_FAIL true
#endif
#define NODES 3
/* A machine's slot, and one ahead. */
#define WANTS 2
/* Rounds of silence after which leases end. */
#define SILENT_MAX 2

/* An epoch is one number, so that the order of (term, peer) is the order of numbers. Terms begin at 1. */
#define EPOCH(term, peer) ((term) * 4 + (peer))
#define TERM(epoch) ((epoch) >> 2)
#define PEER(epoch) ((epoch) & 3)
#define HAS(set, member) (((set) >> (member)) & 1)
#define ONE(member) (1 << (member))
/* A result of an attempt that no table and no worker knows any more. */
#define SOME 128
#define HIGHER(x, y) ((x) > (y) -> (x) : (y))

mtype:role = { DOWN, LOOKING, FOLLOWING, LEADING };
mtype:phase = { FAULTS, HEALED };

mtype:phase phase = FAULTS;
mtype:role role[NODES] = LOOKING;
/* Led or followed; its worker obeys the same one. */
byte epoch[NODES];
/* The highest term seen: it survives a crash, as the records do. */
byte highest[NODES];

/* Each attempt: the epoch of its grant, 0 for none, and to whom. All other sets are of attempts. */
byte given[ATTEMPTS];
byte to[ATTEMPTS];

/* The worker: what it was granted and has not ended, and the ends that it tells to whom it follows. */
byte held[NODES];
byte ends[NODES];
/* The table: leases that count, those taken back and not known to have ended, and what the latest beacon left out. */
byte leased[NODES];
byte stopping[NODES];
byte missed[NODES];
/* Of the leases, those that it granted itself to others, and that no beacon has listed. */
byte unseen[NODES];
/* Leading: machines whose first beacon in this reign has come. A set of nodes. */
byte answered[NODES];
/* The task's record: results, those of them that are done, failures. And the files that are durable here. */
byte results[NODES];
byte done[NODES];
byte failures[NODES];
byte files[NODES];

/* Under way: grants, and for each attempt the epoch of a stop. */
byte granting;
byte stop[ATTEMPTS];

/* Once healed: who leads, who may be granted anything, and whom the coordinator believes to reach. Sets of nodes. */
byte lead;
byte capable;
byte reachable;
byte beaconed;
byte silent[NODES];
/* Those that gave back in this round what they had by an older grant. */
byte gave_back;
byte ran;
byte round;

/* What is asked, by the name that a violation prints. */
hidden byte no_task_stuck, ended_task_is_not_granted, one_lease, no_grant_of_an_older_epoch;
hidden byte done_is_held_twice, second_copy_has_a_cause, newer_grant_ends_nothing, given_back_once, attempts_suffice;
/* Nodes that ever knew the task's result. */
byte knew;

hidden byte a, b, c, j, k, n, next, listed, answer, adopted, twice;

#define UP(x) (role[x] != DOWN)
/*
 * One change of coordinator while there are faults: whoever rises first, nobody does after it. Terms alone then order
 * the epochs, so that the order of peers makes no difference: the first leads first, and the second stands for both
 * of the others.
 */
#ifdef ONE_CHANGE
#define ANY_BEGINS false
#define MAY_RISE(x) (highest[x] < TERMS && (x) != 2)
#else
#define ANY_BEGINS (TERMS > 1)
#define MAY_RISE(x) (highest[x] < TERMS && TERM(epoch[x]) < TERMS)
#endif
/* Without crashes the search is shorter: then nobody forgets what it holds or follows. */
#ifdef NO_CRASHES
#define MAY_CRASH false
#else
#define MAY_CRASH true
#endif
#define ALIVE(x) (HAS(granting | held[0] | held[1] | held[2] | leased[0] | leased[1] | leased[2] | \
  stopping[0] | stopping[1] | stopping[2], x))
/* Something came of it. mirrors node/src/core/tasks.ts: isOpen */
#define IS_OPEN(x) (results[x] == 0)

inline require(property, condition) {
  property = (condition);
  assert(property)
}

/* mirrors node/src/core/leases.ts: releaseLease */
inline release(me, x) {
  leased[me] = leased[me] & ~ONE(x);
  stopping[me] = stopping[me] & ~ONE(x);
  missed[me] = missed[me] & ~ONE(x);
  unseen[me] = unseen[me] & ~ONE(x)
}

/* mirrors node/src/core/own-work.ts: takeEnd */
inline end_stopped(me, x) {
  held[me] = held[me] & ~ONE(x);
  ends[me] = ends[me] | ONE(x);
  release(me, x)
}

/*
 * A follower's table is a mirror: it has no say. What runs here takes a while to end; until then it is held.
 * mirrors node/src/core/leases.ts: takeBack
 */
inline take_back(me, x) {
  leased[me] = leased[me] & ~ONE(x);
  unseen[me] = unseen[me] & ~ONE(x);
  stopping[me] = stopping[me] | ONE(x);
  if
  :: to[x] != me && role[me] == LEADING -> stop[x] = epoch[me]
  :: else
  fi
}

/* What a beacon lists that was taken back. The word of that may be lost. mirrors node/src/core/stops.ts: stopAgain */
inline stop_again(me, x) {
#ifndef STOP_TOLD_ONCE
  if
  :: HAS(stopping[me], x) && role[me] == LEADING -> stop[x] = epoch[me]
  :: else
  fi
#else
  skip
#endif
}

/* mirrors node/src/core/leases.ts: adoptLease */
inline adopt(me, x) {
#ifdef ADOPTS_A_SECOND
  adopted = IS_OPEN(me);
#else
  adopted = IS_OPEN(me) && leased[me] == 0;
#endif
  if
  :: adopted -> leased[me] = leased[me] | ONE(x); count_leases(me)
  :: else
  fi
}

inline count_leases(me) {
  require(one_lease, role[me] != LEADING || (leased[me] & (leased[me] - 1)) == 0)
}

#define HELD_TWICE ((files[0] & files[1]) | (files[0] & files[2]) | (files[1] & files[2]))

/*
 * What a record that changed means for leases.
 * mirrors node/src/core/records-in.ts: endToldAttempt
 * mirrors node/src/core/results.ts: stopLosers
 */
inline settle(me) {
  for (k : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(leased[me], k) && to[k] != me && HAS(results[me] | failures[me], k) -> release(me, k)
    :: else
    fi;
    if
    :: HAS(leased[me], k) && !IS_OPEN(me) -> take_back(me, k)
    :: else
    fi
  }
  if
  :: !IS_OPEN(me) -> knew = knew | ONE(me)
  :: else
  fi;
  require(done_is_held_twice, (done[me] & ~HELD_TWICE) == 0)
}

/* mirrors node/src/core/records-in.ts: takeTask */
inline merge(me, from) {
  results[me] = results[me] | results[from];
  done[me] = done[me] | done[from];
  failures[me] = failures[me] | failures[from];
  settle(me)
}

/* mirrors node/src/core/own-work.ts: takeEnd */
inline end_with_result(me, x) {
  held[me] = held[me] & ~ONE(x);
  ends[me] = ends[me] | ONE(x);
  results[me] = results[me] | ONE(x);
#ifdef COPIES
  files[me] = files[me] | ONE(x);
#endif
  release(me, x);
  settle(me)
}

/* mirrors node/src/core/failure-policy.ts: recordFailure */
inline end_with_failure(me, x) {
  if
  :: IS_OPEN(me) -> failures[me] = failures[me] | ONE(x)
  :: else
  fi;
  end_stopped(me, x)
}

/* The word of the machine that ran it. That it stopped changes no record. mirrors node/src/core/results.ts: takeResult */
inline tell_end(me, coordinator, x) {
  release(coordinator, x);
  if
  :: HAS(results[me], x) -> results[coordinator] = results[coordinator] | ONE(x); settle(coordinator)
  :: HAS(failures[me], x) && IS_OPEN(coordinator) ->
    failures[coordinator] = failures[coordinator] | ONE(x);
    settle(coordinator)
  :: else
  fi
}

/* Files durable, then the record, then the answer. mirrors node/src/replicas/holding.ts: start */
inline hold_as_well(me, from, x) {
#ifdef DONE_BEFORE_IT_IS_HELD
  done[from] = done[from] | ONE(x);
  settle(from);
#endif
  files[me] = files[me] | ONE(x);
  results[me] = results[me] | ONE(x);
  done[me] = done[me] | ONE(x);
  settle(me)
}

/* mirrors node/src/core/failure-policy.ts: recordLost */
inline may_record_lost(me, x) {
  if
  :: MAY_FAIL && HAS(leased[me], x) && IS_OPEN(me) -> failures[me] = failures[me] | ONE(x)
  :: true
  fi
}

/* mirrors node/src/core/eligibility.ts: whyNoWork */
#define MAY_HAVE_WORK(x) (phase == FAULTS || HAS(capable & reachable, x))
#define PLACES(me, x) (OF_PEER(me, x, 0) + OF_PEER(me, x, 1) + OF_PEER(me, x, 2) + OF_PEER(me, x, 3))
#define OF_PEER(me, x, y) ((y) < ATTEMPTS && HAS(leased[me] | stopping[me], y) && to[y] == x)
#ifdef GRANTS_WHAT_ENDED
#define IS_WANTED(me) true
#else
#define IS_WANTED(me) IS_OPEN(me)
#endif
/*
 * mirrors node/src/core/scheduler.ts: grantNext
 * mirrors node/src/core/job.ts: isWanted
 */
#define IS_FREE(me) (role[me] == LEADING && IS_WANTED(me) && leased[me] == 0)
#define MAY_GRANT(me, x) (IS_FREE(me) && MAY_HAVE_WORK(x) && PLACES(me, x) < WANTS)
#ifdef NO_FURTHER_ATTEMPTS
#define GRANTED GRANTS
#else
#define GRANTED (phase == FAULTS -> GRANTS : ATTEMPTS)
#endif

/* The lowest id that is free. */
inline pick_attempt() {
  a = 0;
  do
  :: a < GRANTED && given[a] != 0 -> a++
  :: else -> break
  od;
  require(attempts_suffice, phase == FAULTS || a < GRANTED)
}

/* mirrors node/src/core/leases.ts: grantTask */
inline grant(me, x) {
  pick_attempt();
  if
  :: a < GRANTED ->
    require(ended_task_is_not_granted, !HAS(knew, me));
#ifdef CALM
    require(second_copy_has_a_cause, held[0] == 0 && held[1] == 0 && held[2] == 0);
#endif
    given[a] = epoch[me];
    to[a] = x;
    leased[me] = leased[me] | ONE(a);
    count_leases(me);
    if
    :: x == me -> held[x] = held[x] | ONE(a)
    :: else -> granting = granting | ONE(a); unseen[me] = unseen[me] | ONE(a)
    fi
  :: else
  fi
}

#ifdef GRANT_OF_ANY_EPOCH
#define OBEYS(x, whose) (role[x] == FOLLOWING && PEER(epoch[x]) == PEER(whose))
#else
/* mirrors node/src/core/worker-side.ts: obeys */
#define OBEYS(x, whose) (role[x] == FOLLOWING && epoch[x] == whose)
#endif

#ifdef STOPPED_HOLDS_UP
#define RUNS(me) (leased[me] | stopping[me] & held[me])
#else
#define RUNS(me) leased[me]
#endif

/*
 * `twice` tells whether the machine has the task already, by an older grant.
 * mirrors node/src/core/own-work.ts: takeGrants
 * mirrors node/src/core/worker-side.ts: accept
 * mirrors node/src/core/own-work.ts: run
 */
inline take_grant(x, me) {
  granting = granting & ~ONE(x);
  twice = false;
  if
  :: OBEYS(me, given[x]) ->
    require(no_grant_of_an_older_epoch, given[x] >= epoch[me]);
    held[me] = held[me] | ONE(x);
    for (k : 0 .. ATTEMPTS - 1) {
      if
      :: HAS(leased[me], k) && to[k] != me -> release(me, k)
      :: else
      fi
    }
    if
    :: IS_OPEN(me) && RUNS(me) == 0 -> leased[me] = ONE(x)
    :: else -> twice = IS_OPEN(me); end_stopped(me, x)
    fi
  :: else
  fi
}

/* mirrors node/src/core/own-work.ts: takeStop */
inline take_stop(x, me) {
  if
  :: HAS(held[me], x) && OBEYS(me, stop[x]) -> take_back(me, x)
  :: else
  fi;
  stop[x] = 0
}

/* In one beacon of two; where they arrive together, they count as one. */
inline miss(me, x) {
  if
#ifndef UNLISTED_STAYS
  :: HAS(missed[me], x) || answer && given[x] < epoch[me] ->
    if
    :: !answer -> may_record_lost(me, x)
    :: else
    fi;
    release(me, x)
#endif
  :: !HAS(missed[me], x) -> missed[me] = missed[me] | ONE(x)
  :: (phase == FAULTS || HAS(gave_back, to[x])) && !answer
  :: else
  fi
}

#define UNSEEN_OF(me, x, y) ((y) < ATTEMPTS && HAS(unseen[me], y) && to[y] == x)
#define UNSEEN_AT(me, x) (UNSEEN_OF(me, x, 0) + UNSEEN_OF(me, x, 1) * 2 + UNSEEN_OF(me, x, 2) * 4 + UNSEEN_OF(me, x, 3) * 8)

/*
 * The machine has the task already, by a grant that was not known here when it was granted the task anew.
 * mirrors node/src/core/leases.ts: preferOlder
 */
inline prefer_older(me, from) {
#ifndef NEWER_GRANT_STANDS
  if
  :: IS_OPEN(me) && UNSEEN_AT(me, from) -> pick_of(UNSEEN_AT(me, from)); take_back(me, a)
  :: else
  fi
#else
  skip
#endif
}

/*
 * What a machine holds, told to one that leads: it follows it, or answers its collection. A beacon arrives at once.
 * mirrors node/src/core/leases.ts: takeBeacon
 */
inline take_beacon(me, from) {
  answer = !HAS(answered[me], from);
  if
  :: role[from] == LOOKING || role[from] == FOLLOWING && PEER(epoch[from]) == me ->
    answered[me] = answered[me] | ONE(from)
  :: else
  fi;
  listed = held[from];
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(leased[me] | stopping[me], j) && to[j] == from ->
      if
      :: HAS(listed, j) -> missed[me] = missed[me] & ~ONE(j); unseen[me] = unseen[me] & ~ONE(j); stop_again(me, j)
      :: else -> miss(me, j)
      fi
    :: else
    fi
  }
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(listed, j) && !HAS(leased[me] | stopping[me], j) ->
      prefer_older(me, from);
      adopt(me, j);
      if
      :: !adopted -> stop[j] = epoch[me];
        require(newer_grant_ends_nothing, !IS_OPEN(me) || UNSEEN_AT(me, from) == 0)
      :: else
      fi
    :: else
    fi
  }
}

/* A coordinator's row of one machine, at a follower. mirrors node/src/core/mirror.ts: takeRow */
inline take_row(me, from, about) {
  listed = leased[from];
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(leased[me] | stopping[me], j) && to[j] == about ->
      if
      :: HAS(listed, j) -> missed[me] = missed[me] & ~ONE(j); unseen[me] = unseen[me] & ~ONE(j)
      :: else -> release(me, j)
      fi
    :: else
    fi
  }
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(listed, j) && to[j] == about && !HAS(leased[me] | stopping[me], j) -> adopt(me, j)
    :: else
    fi
  }
}

/* Silence, or a refused redial. mirrors node/src/core/leases.ts: loseMachine */
inline lose_machine(me, x) {
#ifndef LEASE_NEVER_ENDS
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(leased[me] | stopping[me], j) && to[j] == x -> may_record_lost(me, j); release(me, j)
    :: else
    fi
  }
#else
  skip
#endif
}

/* mirrors node/src/core/election.ts: begin */
inline begin(me) {
  epoch[me] = EPOCH(next, me);
#ifdef ONE_CHANGE
  /* What each has seen decides only who may rise: now nobody may. */
  for (k : 0 .. NODES - 1) {
    highest[k] = next
  }
#else
  highest[me] = next
#endif
}

/*
 * What was mirrored is its own now, except for what it took back, of which it told nobody.
 * mirrors node/src/core/election.ts: stand
 * mirrors node/src/core/taking-back.ts: forgetTakenBack
 */
inline stand(me) {
  next = HIGHER(highest[me], TERM(epoch[me])) + 1;
  begin(me);
  role[me] = LEADING;
  answered[me] = 0;
  /* Whatever the first beacon leaves out is released. */
  missed[me] = 0;
  stopping[me] = stopping[me] & held[me];
#ifdef MIRROR_IGNORED
  leased[me] = leased[me] & held[me]
#endif
}

/* mirrors node/src/core/election.ts: follow */
inline follow(me, whom) {
  role[me] = FOLLOWING;
  epoch[me] = epoch[whom];
  highest[me] = HIGHER(highest[me], TERM(epoch[whom]));
  answered[me] = 0;
  missed[me] = 0
}

/*
 * What it says is lost with it; what it wrote is not. It comes back, and may say nothing for as long as there are
 * faults: whether it is off until then makes no difference.
 */
inline crash(me) {
  role[me] = LOOKING;
  epoch[me] = 0;
  held[me] = 0;
  ends[me] = 0;
  leased[me] = 0;
  stopping[me] = 0;
  missed[me] = 0;
  unseen[me] = 0;
  answered[me] = 0;
#ifdef WRITTEN_LATER
  results[me] = 0;
#endif
  for (k : 0 .. ATTEMPTS - 1) {
    if
    :: to[k] == me -> granting = granting & ~ONE(k); stop[k] = 0
    :: else
    fi
  }
}

/* Which attempt made a result makes no difference any more, except for who holds it. */
inline keep_result(me, x) {
#ifdef COPIES
  given[x] = given[x] | HAS(results[me], x)
#else
  if
  :: HAS(results[me], x) -> results[me] = (results[me] & ~ONE(x)) | SOME
  :: else
  fi
#endif
}

/* What no table and no worker knows any more makes no difference; its id is free where it left no result. */
inline forget() {
  for (k : 0 .. ATTEMPTS - 1) {
    if
    :: given[k] != 0 && !ALIVE(k) ->
      stop[k] = 0;
      to[k] = 0;
      given[k] = 0;
      for (j : 0 .. NODES - 1) {
        ends[j] = ends[j] & ~ONE(k);
        failures[j] = failures[j] & ~ONE(k);
        keep_result(j, k)
      }
    :: else
    fi
  }
}

inline pick_node(x) {
  if
  :: x = 0
  :: x = 1
  :: x = 2
  fi
}

inline pick_up(x) {
  if
  :: UP(0) -> x = 0
  :: UP(1) -> x = 1
  :: UP(2) -> x = 2
  fi
}

inline pick_of(set) {
  if
  :: HAS(set, 0) -> a = 0
  :: HAS(set, 1) -> a = 1
  :: HAS(set, 2) -> a = 2
  :: ATTEMPTS > 3 && HAS(set, 3) -> a = 3
  fi
}

#define STOPS ((stop[0] != 0) + (stop[1] != 0) * 2 + (stop[2] != 0) * 4 + (ATTEMPTS > 3 && stop[ATTEMPTS - 1] != 0) * 8)

/* One thing that happens while there are faults: b and c are any two nodes. */
inline happen() {
  pick_node(b);
  pick_node(c);
  if
  /* A partition is the loss of all that crosses it. */
  :: b == 0 && c == 0 && granting -> pick_of(granting); granting = granting & ~ONE(a)
  :: b == 0 && c == 0 && STOPS -> pick_of(STOPS); stop[a] = 0
  :: b == 0 && c == 0 && granting -> pick_of(granting); take_grant(a, to[a])
  :: b == 0 && c == 0 && STOPS -> pick_of(STOPS); take_stop(a, to[a])
  :: MAY_GRANT(b, c) -> grant(b, c)
  :: b == c && held[b] -> pick_of(held[b]); end_with_result(b, a)
  :: MAY_FAIL && b == c && held[b] -> pick_of(held[b]); end_with_failure(b, a)
  :: b == c && (held[b] & stopping[b]) -> pick_of(held[b] & stopping[b]); end_stopped(b, a)
  :: b != c && ends[b] && role[b] == FOLLOWING && PEER(epoch[b]) == c -> pick_of(ends[b]); tell_end(b, c, a)
  :: b != c && role[c] == LEADING -> take_beacon(c, b)
  :: b != c && (results[b] | failures[b] | done[b]) -> merge(c, b)
#ifdef COPIES
  :: b != c && (files[b] & ~files[c]) -> pick_of(files[b] & ~files[c]); hold_as_well(c, b, a)
#endif
  /* A pulse: mirrors node/src/core/election.ts: renew */
  :: b != c && role[c] == LEADING && role[b] == FOLLOWING && PEER(epoch[b]) == c && epoch[c] >= epoch[b] ->
    epoch[b] = epoch[c];
    highest[b] = HIGHER(highest[b], TERM(epoch[c]));
    pick_node(n);
    if
    :: n != b -> take_row(b, c, n)
    :: else
    fi
  :: b != c && role[c] == LEADING && (role[b] == LOOKING || PEER(epoch[b]) != c && epoch[c] > epoch[b]) -> follow(b, c)
  :: b == c && role[b] != LEADING && MAY_RISE(b) -> stand(b)
  /* mirrors node/src/core/election.ts: raise */
  :: b == c && role[b] == LEADING && MAY_RISE(b) -> next = HIGHER(highest[b], TERM(epoch[b])) + 1; begin(b)
  :: MAY_CRASH && b == c && role[b] != LOOKING -> crash(b)
  :: b != c && role[b] == LEADING && (leased[b] | stopping[b]) -> lose_machine(b, c)
  /* A machine is paused or drained, or withdraws: mirrors node/src/core/taking-back.ts: takeBackFrom */
  :: b == c && role[b] == LEADING && leased[b] -> pick_of(leased[b]); take_back(b, a)
  :: else
  fi;
  forget()
}

#define NOW EPOCH(2, lead)
#define BEFORE EPOCH(1, lead)
#define OTHERS_BELOW (epoch[0] <= epoch[lead] && epoch[1] <= epoch[lead] && epoch[2] <= epoch[lead])

inline rise_above_all() {
  next = HIGHER(highest[0], highest[1]);
  next = HIGHER(next, highest[2]) + 1;
  begin(lead)
}

/* Some coordinator leads on, or another stands; all others follow it. */
inline heal() {
  pick_up(lead);
  if
  :: role[lead] == LEADING && OTHERS_BELOW
  :: role[lead] == LEADING -> rise_above_all()
  :: role[lead] != LEADING -> stand(lead); rise_above_all()
  fi;
  phase = HEALED;
  for (a : 0 .. NODES - 1) {
    if
    :: a != lead && UP(a) -> follow(a, lead); tell_ends(a)
    :: a != lead && role[a] == LOOKING -> role[a] = DOWN
    :: else
    fi
  }
  pick_capable();
  simplify();
  forget()
}

/* Whose connection was cut tells again how its attempts ended. mirrors node/src/core/state.ts: sayClaim */
inline tell_ends(me) {
  if
  :: ends[me] ->
    for (j : 0 .. ATTEMPTS - 1) {
      if
      :: HAS(ends[me], j) -> tell_end(me, lead, j)
      :: else
      fi
    }
  :: true
  fi;
  ends[me] = 0
}

/* All that are up may work, or one: then the others were told to stop, or to end what they run. */
inline pick_capable() {
  capable = 7;
  if
  :: true
  :: pick_up(n);
    capable = ONE(n);
    for (a : 0 .. NODES - 1) {
      if
      :: UP(a) && a != n -> pause(a)
      :: true
      fi
    }
  fi;
  /* That somebody is gone shows at once, or in time. */
  reachable = UP(0) + UP(1) * 2 + UP(2) * 4;
  if
  :: reachable = 7
  :: true
  fi
}

/* mirrors node/src/core/records-in.ts: nodeChanged */
inline pause(me) {
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(held[me], j) -> end_stopped(me, j); tell_end(me, lead, j)
    :: else
    fi;
    if
    :: HAS(leased[lead], j) && to[j] == me -> take_back(lead, j)
    :: else
    fi
  }
}

/* What makes no difference once all follow one epoch: other epochs, whose grants arrive now, and mirrors. */
inline simplify() {
  for (j : 0 .. ATTEMPTS - 1) {
    if
    :: HAS(granting, j) && given[j] != epoch[lead] -> take_grant(j, to[j])
    :: else
    fi
  }
  for (j : 0 .. ATTEMPTS - 1) {
    given[j] = (given[j] == epoch[lead] -> NOW : (given[j] -> BEFORE : 0));
    stop[j] = (stop[j] == epoch[lead] && HAS(held[to[j]], j) -> NOW : 0)
  }
  for (j : 0 .. NODES - 1) {
    highest[j] = 0;
    epoch[j] = (UP(j) -> NOW : 0);
    ends[j] = 0;
    if
    :: j != lead -> leased[j] = leased[j] & held[j]; stopping[j] = stopping[j] & held[j]; missed[j] = 0; unseen[j] = 0
    :: else
    fi
  }
}

#define SPOKE(x) (x == lead || !UP(x) || HAS(beaconed, x))
#define MAY_GRANT_NOW (MAY_GRANT(lead, 0) || MAY_GRANT(lead, 1) || MAY_GRANT(lead, 2))
#define IS_QUIET (!granting && !STOPS && SPOKE(0) && SPOKE(1) && SPOKE(2))
#define KNOWS(x) (!UP(x) || !IS_OPEN(x))
#define ENDED (KNOWS(0) && KNOWS(1) && KNOWS(2))

/*
 * What the machine has is said before it gives a newer grant of that back. As beacons that come together, this one and
 * the next may count as one. While there are faults each of the two is told, or lost, like any other.
 * mirrors node/src/core/own-work.ts: giveBackTwice
 */
inline give_back(me, x) {
  if
  :: twice ->
    require(given_back_once, !HAS(gave_back, me));
    gave_back = gave_back | ONE(me);
#ifndef GIVEN_BACK_UNSAID
    take_beacon(lead, me)
#else
    skip
#endif
  :: else
  fi;
  tell_end(me, lead, x);
  ends[me] = 0
}

#define STOPS_OF(x, y) ((y) < ATTEMPTS && stop[y] != 0 && to[y] == x)
#define STOPS_TO(x) (STOPS_OF(x, 0) || STOPS_OF(x, 1) || STOPS_OF(x, 2) || STOPS_OF(x, 3))

/*
 * Healed: what is said arrives, and what a live machine runs comes to an end. Stops go before the grants that were made
 * after them.
 */
inline go_on() {
  pick_node(b);
  if
  :: granting -> pick_of(granting);
    if
    :: UP(to[a]) && STOPS_TO(to[a]) -> skip
    :: UP(to[a]) && !STOPS_TO(to[a]) -> take_grant(a, to[a]);
      if
      :: !HAS(held[to[a]], a) -> n = a; c = to[a]; give_back(c, n)
      :: else
      fi
    :: !UP(to[a]) -> granting = granting & ~ONE(a)
    fi
  :: STOPS -> pick_of(STOPS);
    if
    :: UP(to[a]) && HAS(held[to[a]], a) -> take_stop(a, to[a])
    :: else -> stop[a] = 0
    fi
  :: held[b] & stopping[b] -> pick_of(held[b] & stopping[b]); end_stopped(b, a); ends[b] = 0; tell_end(b, lead, a)
  :: MAY_GRANT(lead, b) -> grant(lead, b)
  :: !SPOKE(b) -> take_beacon(lead, b); beaconed = beaconed | ONE(b)
  :: held[b] -> pick_of(held[b]); end_with_result(b, a); ends[b] = 0; tell_end(b, lead, a)
  :: else
  fi;
  forget()
}

#define LEASES_OF(x) (OF_PEER(lead, x, 0) + OF_PEER(lead, x, 1) + OF_PEER(lead, x, 2) + OF_PEER(lead, x, 3))

/* Nothing is under way, all have spoken, and nothing can be granted. */
inline end_round() {
  /* What ran for a whole round has ended. */
  for (n : 0 .. NODES - 1) {
    for (a : 0 .. ATTEMPTS - 1) {
      if
      :: HAS(held[n] & ran & stopping[n], a) -> end_stopped(n, a); ends[n] = 0; tell_end(n, lead, a)
      :: HAS(held[n] & ran & ~stopping[n], a) -> end_with_result(n, a); ends[n] = 0; tell_end(n, lead, a)
      :: else
      fi
    }
  }
  ran = held[0] | held[1] | held[2];
  for (n : 0 .. NODES - 1) {
    if
    :: UP(n) && n != lead -> merge(lead, n)
    :: else
    fi
  }
  for (n : 0 .. NODES - 1) {
    if
    :: UP(n) && n != lead -> merge(n, lead)
    :: !UP(n) && (LEASES_OF(n) == 0 || silent[n] + 1 >= SILENT_MAX) ->
      if
      :: LEASES_OF(n) -> lose_machine(lead, n)
      :: else
      fi;
      silent[n] = 0;
      reachable = reachable & ~ONE(n)
    :: !UP(n) && LEASES_OF(n) && silent[n] + 1 < SILENT_MAX -> silent[n]++
    :: else
    fi
  }
  beaconed = 0;
  gave_back = 0;
  round++;
  require(no_task_stuck, ENDED || round < ROUNDS);
  forget();
  if
  :: ENDED && leased[lead] == 0 -> goto over
  :: else
  fi
}

/* Any node leads, and the others follow it. With one term the order of peers makes no difference. */
inline begin_farm() {
  if
  :: b = 0
  :: ANY_BEGINS -> b = 1
  :: ANY_BEGINS -> b = 2
  fi;
  for (a : 0 .. NODES - 1) {
    role[a] = (a == b -> LEADING : FOLLOWING);
    epoch[a] = EPOCH(1, b);
    highest[a] = 1
  }
  answered[b] = 7 & ~ONE(b)
}

#ifdef CALM
/* Its grant is mirrored: it goes, or hands over, or goes on. Nothing is lost. */
inline begin_calm() {
  pick_node(c);
  for (a : 0 .. NODES - 1) {
    leased[a] = 1
  }
  given[0] = EPOCH(1, b);
  to[0] = c;
  held[c] = 1;
  if
  :: crash(b); role[b] = DOWN
  :: true
  fi;
  heal()
}
#endif

active proctype farm() {
  atomic {
    begin_farm();
#ifdef CALM
    begin_calm()
#endif
  }
  do
  :: atomic { phase == FAULTS -> happen() }
  :: atomic { phase == FAULTS -> heal() }
  :: atomic { phase == HEALED -> go_on() }
  :: atomic { phase == HEALED && IS_QUIET && !MAY_GRANT_NOW -> end_round() }
  od;
over:
  skip
}
