package event

// Only these are events: a type switch over them is checked to forget none.

func (SessionCreated) event() {}

func (SessionUpdated) event() {}

func (SessionHandedOver) event() {}

func (SessionEnded) event() {}

func (MessageReceived) event() {}

func (UtteranceHeard) event() {}

func (ReplyStarted) event() {}

func (ModelAnswered) event() {}

func (ResultsExtracted) event() {}

func (ResultSet) event() {}

func (StateEntered) event() {}

func (ToolCalled) event() {}

func (ToolAnswered) event() {}

func (ReplySent) event() {}

func (ReplySpoken) event() {}

func (ReplyLost) event() {}

func (TurnTimed) event() {}

func (CallOffered) event() {}

func (CallAnswered) event() {}

func (CallHeld) event() {}

func (CallResumed) event() {}

func (CallDigit) event() {}

func (CallEnded) event() {}

func (CallInputs) event() {}

func (RecordingClosed) event() {}

func (TenantCreated) event() {}

func (AgentCreated) event() {}

func (AgentSaved) event() {}

func (AgentPublished) event() {}

func (AgentStarted) event() {}

func (AgentStopped) event() {}

func (SkillRan) event() {}

func (QuestionUnanswered) event() {}

func (CustomerVerified) event() {}

func (GuardHit) event() {}

func (HistorySummarised) event() {}

func (SuggestionMade) event() {}

func (AgentDrafted) event() {}

func (SourceCreated) event() {}

func (SourceSaved) event() {}

func (SourceIndexing) event() {}

func (SourceIndexed) event() {}

func (SourceFailed) event() {}

func (SourceStopped) event() {}

func (SourceConnected) event() {}

func (SourceDisconnected) event() {}

func (SourceRemoved) event() {}

func (QuestionResolved) event() {}

func (CallProgressed) event() {}

func (CallScreened) event() {}

func (VoicemailLeft) event()     {}
func (CallSpeechChanged) event() {}

func (CallReplaced) event() {}

func (TransferBegun) event() {}

func (TransferFailed) event() {}

func (TransferCompleted) event() {}

func (RecordingPaused) event() {}

func (RecordingResumed) event() {}

func (RecordingDeleted) event() {}

func (CallObserved) event() {}

func (CallTraced) event() {}

func (OperatorWhispered) event() {}

func (ConnectionCreated) event() {}

func (ConnectionSaved) event() {}

func (ConnectionStarted) event() {}

func (ConnectionStopped) event() {}

func (ConnectionReported) event() {}

func (ConnectionAttached) event() {}

func (ConnectionDetached) event() {}

func (ConnectionRemoved) event() {}

func (CatalogCreated) event() {}

func (CatalogChanged) event() {}

func (ProductsPut) event() {}

func (ProductsRemoved) event() {}

func (CatalogConnected) event() {}

func (CatalogDisconnected) event() {}

func (CatalogInvited) event() {}

func (InvitationsReset) event() {}

func (CatalogRemoved) event() {}

func (ResultsMailed) event() {}
