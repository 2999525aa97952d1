/*
 * Who coordinates, for three nodes: a model of node/src/core/election.ts (SPEC R40 to R44, R105), checked exhaustively
 * by spin (`npm run model`).
 *
 * Two phases. While there are FAULTS any message may be lost or late, any deadline may come at any time, and nodes
 * crash and come back. Then the farm is HEALED: nothing is lost any more, and time passes in rounds. Two questions:
 *   - one_coordinator_in_time: ROUNDS rounds after the last fault there is one coordinator, and all others follow its
 *     epoch. Since the rounds are counted, this excludes every livelock over several, that of mutual yields among them.
 *   - incumbent_stays (with -DRETURNER): a coordinator that is followed never yields to a node that comes back, nor
 *     does its follower leave it; whether that node led, looks for a coordinator, or still follows one that is gone.
 * And in each step: never_an_older_epoch (no node follows an epoch below one that it has obeyed), terms_settle (healed,
 * the terms rise by RISES at most: answers that go to and fro within one round, which thereby never ends, are seen by
 * this alone).
 *
 * What is left out, and why that hides no violation of these, or where it might:
 *   - Connections and partitions. A partition is the loss of all messages across it, so the loss of any message at any
 *     time contains every shape of it, one-way loss and a single sick link too, and gossip that finds a way round it.
 *   - Lengths of time. While there are faults every deadline may come at any moment. In the healed phase a round is a
 *     pulse's interval: each node speaks once. A silence becomes a suspicion in the round after one whole silent round,
 *     and at its end at the latest. Real deadlines are longer, by numbers that differ between causes; a longer one is a
 *     longer phase of faults in which nothing is lost.
 *   - Orders of arrival, once healed. What is said in answer to a message arrives after all that was said along with
 *     that message (`turn`); beacons arrive at once. Nodes may speak in any order, and while answers are under way.
 *     With -DANY_ORDER whatever is under way may arrive first, so that messages are overtaken by chains of others, and
 *     nodes speak while anything is under way to them; a node's pulse then replaces its earlier one.
 *   - Followers and ages before the farm heals. How a meeting ends is then left open altogether, and so is the first one
 *     after, as long as a pulse of before counts (UNKNOWN). Reigns are healed at every difference of age that counts.
 *   - The questions before a suspicion (askOthers, takeDoubt, takeDoubtAnswer) and the ranks of successors. They only
 *     choose which of the moments above it is, so every order of standing is contained, standing at once as well.
 *   - Terms above TERMS before the farm heals. This is a bound of the search, no abstraction.
 *
 * Each step names what it mirrors as `file: function`; test/model/models.test.ts holds that these exist.
 */

#ifndef TERMS
#ifdef RETURNER
#define TERMS 3
#else
#define TERMS 2
#endif
#endif
#ifndef ROUNDS
#define ROUNDS 7
#endif
/*
 * How far the term rises above TERMS once nothing is lost any more: as small as it holds, with one less each search
 * ends in a violation. Three that lead rise over each other's first pulses, and in pairs over what that brought, four
 * times in all; a follower that missed the last of these stands once more, and is risen over. Where messages are
 * overtaken, old pulses bring two more. Beside a followed coordinator a lone returner rises or stands once, and is
 * risen over once.
 */
#ifndef RISES
#ifdef RETURNER
#define RISES 2
#else
#ifdef ANY_ORDER
#define RISES 7
#else
#define RISES 5
#endif
#endif
#endif
#define NODES 3
/* The peer of a fourth node, which only the returner knew and which is off. */
#define GONE 3
#define NOBODY 0

/* An epoch is one number, so that the order of (term, peer) is the order of numbers. Terms begin at 1. */
#define EPOCH(term, peer) ((term) * 4 + (peer))
#define TERM(epoch) ((epoch) >> 2)
#define PEER(epoch) ((epoch) & 3)
/* What was told before the farm healed: it may have been any number. */
#define UNKNOWN 3
/* A pulse in one number: epoch, pulses of the reign, followers. */
#define PULSE(me) (node[me].epoch * 128 + node[me].pulses * 4 + node[me].told)
#define LINK(from, to) ((from) * 2 + (to) - ((to) > (from)))

mtype:role = { DOWN, LOOKING, FOLLOWING, LEADING };
mtype:phase = { FAULTS, HEALED };
/* What a node does about what it heard, at the end of the same step. */
mtype:deed = { NOTHING, STAND, RAISE, YIELD, FOLLOW, RENEW };

typedef Node {
  mtype:role role;
  /* The epoch led or followed. */
  byte epoch;
  /* The highest term seen: it survives a crash. */
  byte highest;
  byte obeyed;
  /* Leading, healed: pulses of this reign, and followers as the latest pulse told them. */
  byte pulses;
  byte told;
  /* Leading: rounds for which each other still counts as a follower. */
  byte follows[NODES];
  /* The coordinator was heard in this round; it was not in the one before. */
  bit heard;
  bit quiet;
  bit spoke;
};

Node node[NODES];
mtype:phase phase = FAULTS;
byte round;
bit settled;
#ifdef RETURNER
byte returner;
#endif

/* Under way, by link; and, healed, what was said since the latest turn. A later pulse replaces an earlier one. */
short pulses[6];
short next_pulses[6];
byte yields[6];
byte next_yields[6];

#ifdef ANY_ORDER
#define SAID_PULSES pulses
#define SAID_YIELDS yields
#define ONE_ORDER(condition) true
#else
#define SAID_PULSES next_pulses
#define SAID_YIELDS next_yields
#define ONE_ORDER(condition) (condition)
#endif

/* What is asked, by the name that a violation prints. */
hidden byte one_coordinator_in_time, incumbent_stays, never_an_older_epoch, terms_settle;

hidden byte a, b, k, next;
hidden byte epoch_in, told_in, pulses_in;
hidden byte lost, calm;
hidden mtype:deed deed = NOTHING;

/* Whether the node may begin a reign: before the farm heals the terms are bounded. */
#define MAY_RISE(me) (phase == HEALED || node[me].highest < TERMS && TERM(node[me].epoch) < TERMS)

inline require(property, condition) {
  property = (condition);
  assert(property);
}

/* mirrors node/src/core/worker-side.ts: follow */
inline obey(me, epoch_new) {
  require(never_an_older_epoch, epoch_new >= node[me].obeyed);
  node[me].obeyed = epoch_new;
}

/* mirrors node/src/core/pulse.ts: pulse */
inline say_pulse(me) {
  if
  :: phase == FAULTS -> node[me].told = UNKNOWN
  :: else ->
    node[me].told = (node[me].follows[0] > 0) + (node[me].follows[1] > 0) + (node[me].follows[2] > 0);
    node[me].pulses++
  fi;
  for (k : 0 .. NODES - 1) {
    if
    :: k != me && node[k].role != DOWN ->
      if
      :: phase == HEALED -> SAID_PULSES[LINK(me, k)] = PULSE(me)
      :: phase == FAULTS && !pulses[LINK(me, k)] -> pulses[LINK(me, k)] = PULSE(me)
      :: phase == FAULTS && pulses[LINK(me, k)]
      fi
    :: else
    fi
  }
}

#ifdef ANSWERS_COUNT
#define IS_FOLLOWER(me, to) true
#else
#define IS_FOLLOWER(me, to) (node[me].role == LOOKING || node[me].role == FOLLOWING && PEER(node[me].epoch) == to)
#endif

/*
 * It arrives at once, and says whom its sender follows: who only answers a collection makes no follower.
 * mirrors node/src/core/leases.ts: takeBeacon
 */
inline say_beacon(me, to) {
  if
  :: phase == HEALED && to != GONE ->
    if
    :: node[to].role == LEADING && IS_FOLLOWER(me, to) -> node[to].follows[me] = 2
    :: else
    fi
  :: else
  fi
}

inline forget_reign(me) {
  node[me].pulses = 0;
  node[me].told = 0;
  for (k : 0 .. NODES - 1) {
    node[me].follows[k] = 0
  }
}

/* mirrors node/src/core/election.ts: begin */
inline begin(me) {
  require(terms_settle, next <= TERMS + RISES);
  node[me].epoch = EPOCH(next, me);
  node[me].highest = next;
  obey(me, node[me].epoch);
}

#define HIGHER(x, y) ((x) > (y) -> (x) : (y))

/* mirrors node/src/core/election.ts: stand */
inline stand(me) {
  next = HIGHER(node[me].highest, TERM(node[me].epoch)) + 1;
  begin(me);
  forget_reign(me);
  node[me].role = LEADING;
  say_pulse(me);
  node[me].heard = 0;
  node[me].quiet = 0;
}

/* mirrors node/src/core/election.ts: raise */
inline raise(me, above) {
  next = HIGHER(node[me].highest, TERM(above)) + 1;
  begin(me);
  say_pulse(me);
}

/* mirrors node/src/core/election.ts: follow */
inline follow(me, epoch_new) {
  forget_reign(me);
  node[me].role = FOLLOWING;
  node[me].epoch = epoch_new;
  node[me].highest = HIGHER(node[me].highest, TERM(epoch_new));
  obey(me, epoch_new);
  node[me].heard = (phase == HEALED);
  node[me].quiet = 0;
  say_beacon(me, PEER(epoch_new));
}

/* mirrors node/src/core/election.ts: renew */
inline renew(me) {
  if
  :: epoch_in >= node[me].epoch ->
    if
    :: epoch_in > node[me].epoch ->
      node[me].epoch = epoch_in;
      node[me].highest = HIGHER(node[me].highest, TERM(epoch_in));
      obey(me, epoch_in)
    :: else
    fi;
    node[me].heard = (phase == HEALED);
    node[me].quiet = 0
  :: else
  fi
}

#ifdef LOWEST_ID_WINS
#define OUTRANKS(me) (me < PEER(epoch_in))
#else
#define OUTRANKS(me) (node[me].told != told_in -> node[me].told > told_in : \
  (node[me].pulses != pulses_in -> node[me].pulses > pulses_in : me < PEER(epoch_in)))
#endif
#ifdef YIELDS_TO_LOWER_TERMS
#define MAY_YIELD(me) true
#else
#ifdef EQUAL_TERMS_STAY
#define MAY_YIELD(me) (TERM(epoch_in) > TERM(node[me].epoch))
#else
#define MAY_YIELD(me) (epoch_in > node[me].epoch)
#endif
#endif
/* Answering each pulse at once would go to and fro. */
#ifdef RISES_AT_EACH_PULSE
#define MUST_RISE(me) true
#else
#define MUST_RISE(me) (TERM(node[me].epoch) <= TERM(epoch_in))
#endif

/* mirrors node/src/core/election.ts: meet */
inline meet(me) {
  if
  :: OUTRANKS(me) || node[me].told == UNKNOWN || told_in == UNKNOWN ->
    if
    :: MUST_RISE(me) && MAY_RISE(me) && (phase == HEALED || TERM(epoch_in) < TERMS) ->
      deed = RAISE
    :: else
    fi
  :: !OUTRANKS(me) || node[me].told == UNKNOWN || told_in == UNKNOWN ->
    if
    :: MAY_YIELD(me) -> deed = YIELD
    :: else
    fi
  fi
}

/* mirrors node/src/core/election.ts: yieldTo */
inline yield_to(me) {
  for (k : 0 .. NODES - 1) {
    if
    :: k != me && k != PEER(epoch_in) && (phase == FAULTS || node[me].follows[k] > 0) && node[k].role != DOWN ->
      if
      :: phase == HEALED -> SAID_YIELDS[LINK(me, k)] = epoch_in
      :: else -> yields[LINK(me, k)] = epoch_in
      fi
    :: else
    fi
  }
  follow(me, epoch_in);
}

/*
 * Healed, a node holds its coordinator for lost a pulse before it stands at the earliest, and so in the whole round.
 * mirrors node/src/core/silence.ts: isLost
 */
inline is_lost(me) {
  if
  :: phase == FAULTS || node[me].quiet -> lost = 1
  :: phase == FAULTS || !node[me].quiet -> lost = 0
  fi
}

/*
 * A collection goes out in the step of the reign's first pulse, and arrives with it: the answer, a beacon, is given
 * whether or not the sender is followed.
 * mirrors node/src/core/election.ts: takePulse
 * mirrors node/src/core/core.ts: takeCollect
 */
inline take_pulse(me, from) {
  epoch_in = pulses[LINK(from, me)] >> 7;
  pulses_in = (pulses[LINK(from, me)] >> 2) & 31;
  told_in = pulses[LINK(from, me)] & 3;
  pulses[LINK(from, me)] = 0;
  if
  :: pulses_in == 1 -> say_beacon(me, from)
  :: else
  fi;
  if
  :: node[me].role == LEADING -> meet(me)
  :: node[me].role == LOOKING -> deed = FOLLOW
  :: node[me].role == FOLLOWING && PEER(node[me].epoch) == from -> deed = RENEW
  :: node[me].role == FOLLOWING && PEER(node[me].epoch) != from ->
    is_lost(me);
    if
    :: lost && epoch_in > node[me].epoch -> deed = FOLLOW
    :: else
    fi
  :: else
  fi
}

/* mirrors node/src/core/election.ts: takeYield */
inline take_yield(me, from) {
  epoch_in = yields[LINK(from, me)];
  yields[LINK(from, me)] = NOBODY;
  if
  :: node[me].role == FOLLOWING && PEER(node[me].epoch) == from && epoch_in >= node[me].epoch ->
    if
    :: PEER(epoch_in) == me && MAY_RISE(me) -> deed = STAND
    :: PEER(epoch_in) == me && !MAY_RISE(me)
    :: else -> deed = FOLLOW
    fi
  :: else
  fi
}

inline carry_out(me) {
#ifdef RETURNER
  require(incumbent_stays, me == returner || deed == NOTHING || deed == RAISE || deed == RENEW);
#endif
  if
  :: deed == STAND -> stand(me)
  :: deed == RAISE -> raise(me, epoch_in)
  :: deed == YIELD -> yield_to(me)
  :: deed == FOLLOW -> follow(me, epoch_in)
  :: deed == RENEW -> renew(me)
  :: else
  fi;
  deed = NOTHING
}

/* mirrors node/src/core/pulse.ts: speak */
inline speak(me) {
  if
  :: node[me].role == LEADING -> say_pulse(me)
  :: node[me].role == FOLLOWING -> say_beacon(me, PEER(node[me].epoch))
  :: else
  fi;
  node[me].spoke = (phase == HEALED);
}

/* What is under way from a node. */
#define ARRIVED(l) (!pulses[l] && !yields[l])
#define SILENT_LINK(l) (ARRIVED(l) && !next_pulses[l] && !next_yields[l])
#define DELIVERED(me) (SILENT_LINK(2 * me) && SILENT_LINK(2 * me + 1))

inline pick_one() {
  if
  :: a = 0
  :: a = 1
  :: a = 2
  fi
}

inline pick_link() {
  if
  :: a = 0; b = 1
  :: a = 0; b = 2
  :: a = 1; b = 0
  :: a = 1; b = 2
  :: a = 2; b = 0
  :: a = 2; b = 1
  fi
}

/* Any message of the picked link arrives, or is lost where `may_lose`. */
inline deliver_or_lose() {
  if
  :: pulses[LINK(a, b)] -> take_pulse(b, a)
  :: yields[LINK(a, b)] != NOBODY -> take_yield(b, a)
  :: phase == FAULTS && pulses[LINK(a, b)] -> pulses[LINK(a, b)] = 0
  :: phase == FAULTS && yields[LINK(a, b)] != NOBODY -> yields[LINK(a, b)] = NOBODY
  :: else
  fi
}

/*
 * A node that stands now might be told otherwise by nobody: its coordinator is lost, or it found none.
 * mirrors node/src/core/election.ts: runElection
 * mirrors node/src/core/election.ts: standTime
 */
#define MAY_STAND(me) ((node[me].role == LOOKING || node[me].role == FOLLOWING) && MAY_RISE(me) && \
  (phase == FAULTS || node[me].quiet && !node[me].heard))

/* mirrors node/src/core/election.ts: startElection */
inline restart(me) {
  node[me].role = LOOKING;
  node[me].quiet = 0;
  node[me].heard = 0
}

/* What a crash leaves is the highest term. */
inline crash(me) {
  forget_reign(me);
  node[me].role = DOWN;
  node[me].epoch = 0;
  node[me].obeyed = 0;
  for (k : 0 .. NODES - 1) {
    if
    :: k != me -> forget_link(LINK(me, k)); forget_link(LINK(k, me))
    :: else
    fi
  }
}

inline forget_link(l) {
  pulses[l] = 0;
  yields[l] = NOBODY
}

#define ALL_ARRIVED (ARRIVED(0) && ARRIVED(1) && ARRIVED(2) && ARRIVED(3) && ARRIVED(4) && ARRIVED(5))
/* Something waits for the node. */
#define HEARS_NOTHING(me) (ARRIVED(LINK((me + 1) % 3, me)) && ARRIVED(LINK((me + 2) % 3, me)))

/* What was said since the last turn is under way now. */
inline turn() {
  for (k : 0 .. 5) {
    pulses[k] = next_pulses[k];
    yields[k] = next_yields[k];
    next_pulses[k] = 0;
    next_yields[k] = 0
  }
}

#define SPOKE(me) (node[me].role == DOWN || node[me].spoke)
#define ALL_DELIVERED (DELIVERED(0) && DELIVERED(1) && DELIVERED(2))
#define FOLLOWS(me, of) (me == of || node[me].role == DOWN || node[me].role == FOLLOWING && node[me].epoch == node[of].epoch)
#define LEADS(me) (node[me].role == LEADING && FOLLOWS(0, me) && FOLLOWS(1, me) && FOLLOWS(2, me))
#define ALL_DOWN (node[0].role == DOWN && node[1].role == DOWN && node[2].role == DOWN)
#define CONVERGED (LEADS(0) || LEADS(1) || LEADS(2) || ALL_DOWN)

/*
 * All have spoken and heard. Whose coordinator was silent for two rounds stands; who sent no beacon counts no more.
 * mirrors node/src/core/pulse.ts: follows
 */
inline end_round() {
  for (a : 0 .. NODES - 1) {
    node[a].spoke = 0;
    for (b : 0 .. NODES - 1) {
      if
      :: node[a].follows[b] > 0 -> node[a].follows[b]--
      :: else
      fi
    }
  }
  for (a : 0 .. NODES - 1) {
    if
    :: node[a].role != LOOKING && node[a].role != FOLLOWING || node[a].heard -> node[a].quiet = 0
    :: else ->
      if
      :: node[a].quiet -> deed = STAND; carry_out(a)
      :: else -> node[a].quiet = 1
      fi
    fi;
    node[a].heard = 0
  }
  round++;
  /* Once there is one coordinator it stays; a further round shows it. */
  calm = CONVERGED;
  require(one_coordinator_in_time, calm || !settled && round < ROUNDS);
  if
  :: settled -> goto over
  :: else -> settled = calm
  fi
}

/* Reigns are as long as each other, longer by one pulse, or by more: no pulse of those that are on their way counts more. */
#define IS_OLD(me) (node[me].pulses > 2)
#define TOO_OLD(me) (node[me].role != LEADING || IS_OLD(me))
inline pick_age(me) {
  if
  :: node[me].pulses = 2
  :: node[me].pulses = 3
  :: node[me].pulses = 4
  fi
}

inline heal() {
  phase = HEALED;
  for (a : 0 .. NODES - 1) {
    if
    /* Whoever is silent may be found so at any moment: how long ago the coordinator was heard is not known. */
    :: node[a].role == LOOKING || node[a].role == FOLLOWING -> node[a].quiet = 1
    :: node[a].role == LEADING ->
      pick_age(a);
      for (b : 0 .. NODES - 1) {
        node[a].follows[b] = (node[b].role == FOLLOWING && PEER(node[b].epoch) == a)
      }
    :: else
    fi
  }
  /* Only the differences count. */
  do
  :: TOO_OLD(0) && TOO_OLD(1) && TOO_OLD(2) && (IS_OLD(0) || IS_OLD(1) || IS_OLD(2)) ->
    for (a : 0 .. NODES - 1) {
      if
      :: IS_OLD(a) -> node[a].pulses--
      :: else
      fi
    }
  :: else -> break
  od
}

#ifdef RETURNER
/* Whom the returner still follows is off, leads no more, or goes on in a higher term. */
inline pick_gone(incumbent, follower) {
  if
  :: next = GONE
  :: next = follower
  :: k <= TERM(node[incumbent].epoch) -> next = incumbent
  fi
}

inline pick_quiet(me) {
  if
  :: node[me].quiet = 0
  :: node[me].quiet = 1
  fi
}

/*
 * Any node leads, in any term; a second one follows it; the third was alone until it led, or has just begun, or still
 * follows somebody who is gone.
 */
inline begin_with_returner() {
  atomic {
    pick_link();
    returner = 3 - a - b;
    pick_term();
    node[a].role = LEADING;
    node[a].epoch = EPOCH(k, a);
    node[a].follows[b] = 2;
    node[a].told = 1;
    pick_age(a);
    node[b].role = FOLLOWING;
    node[b].epoch = node[a].epoch;
    pick_term();
    if
    :: node[returner].role = LEADING; node[returner].epoch = EPOCH(k, returner); pick_age(returner)
    :: node[returner].role = LOOKING; node[returner].highest = k; node[returner].quiet = 1
    :: pick_gone(a, b); node[returner].role = FOLLOWING; node[returner].epoch = EPOCH(k, next); pick_quiet(returner)
    fi;
    for (k : 0 .. NODES - 1) {
      node[k].highest = HIGHER(node[k].highest, TERM(node[k].epoch));
      node[k].obeyed = node[k].epoch
    }
    phase = HEALED;
    /* Whoever leads says so to whom it reaches again, at once. mirrors node/src/core/election.ts: peerChanged */
    say_pulse(a);
    if
    :: node[returner].role == LEADING -> say_pulse(returner)
    :: else
    fi
  }
}

inline pick_term() {
  if
  :: k = 1
  :: k = 2
  :: k = 3
  fi
}
#endif

active proctype farm() {
#ifdef RETURNER
  begin_with_returner();
#else
  atomic {
    for (a : 0 .. NODES - 1) {
      node[a].role = DOWN
    }
  }
#endif
  do
  :: atomic { phase == FAULTS -> pick_link(); deliver_or_lose(); carry_out(b) }
  :: atomic {
      phase == HEALED && !ALL_ARRIVED ->
      /* Who hears first makes no difference where what it says thereupon arrives in the next turn. */
      if
      :: !HEARS_NOTHING(0) -> b = 0
      :: ONE_ORDER(HEARS_NOTHING(0)) && !HEARS_NOTHING(1) -> b = 1
      :: ONE_ORDER(HEARS_NOTHING(0) && HEARS_NOTHING(1)) && !HEARS_NOTHING(2) -> b = 2
      fi;
      if
      :: a = (b + 1) % 3
      :: a = (b + 2) % 3
      fi;
      deliver_or_lose();
      carry_out(b)
    }
  :: atomic { phase == HEALED && ALL_ARRIVED && !ALL_DELIVERED -> turn() }
  :: atomic {
      phase == FAULTS || ONE_ORDER(ALL_ARRIVED) ->
      pick_one();
      if
      :: phase == FAULTS && node[a].role != DOWN -> speak(a)
      :: phase == HEALED && !SPOKE(a) && DELIVERED(a) -> speak(a)
      :: phase == HEALED && !SPOKE(a) && DELIVERED(a) && MAY_STAND(a) -> node[a].spoke = 1; deed = STAND
      :: phase == FAULTS && MAY_STAND(a) -> deed = STAND
      :: else
      fi;
      carry_out(a)
    }
  :: atomic {
      phase == FAULTS;
      pick_one();
      if
      :: node[a].role == DOWN -> restart(a)
      :: else -> crash(a)
      fi
    }
  :: atomic { phase == FAULTS -> heal() }
  :: atomic { phase == HEALED && SPOKE(0) && SPOKE(1) && SPOKE(2) && ALL_DELIVERED -> end_round() }
  od;
over:
  skip
}
