// The bodies of the API, as docs/openapi.json describes them.

export interface Post {
  uuid: string;
  handle: string;
  display_name: string;
  message: string;
  created_at: string;
  /** Missing for replies, which expire with their parent. */
  expires_at?: string;
  replies_count: number;
  reposts_count: number;
  likes_count: number;
  reply_to_activity_uuid?: string | null;
  liked?: boolean | null;
}

export interface Thread {
  activity: Post;
  replies: Post[];
}

export interface Reactions {
  likes_count: number;
  reposts_count: number;
  liked: boolean;
  reposted: boolean;
}

export interface Profile {
  handle: string;
  display_name: string;
  bio: string;
  cruds_count: number;
}

export interface Notification extends Post {
  expires_at: string;
  kind: "reply" | "like" | "mention" | "conversation";
  unread: boolean;
  trace_id: string | null;
  message_group_uuid: string | null;
}

export interface Message {
  uuid: string;
  handle: string;
  display_name: string;
  message: string;
  created_at: string;
}
